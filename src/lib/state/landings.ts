import type { EffectSpan, Landing, WaitingLanding } from "../domain/landing.ts";
import { effectSpans } from "../domain/landing.ts";
import type { Verdict } from "../domain/qa.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { firstColumn, firstValue } from "./database.ts";
import { recordTicketEvent } from "./events.ts";

/** Records that a ticket's packages landed; recording it twice changes nothing. Call inside a transaction. */
export function recordLanding(
  db: Connection,
  {
    series,
    revision,
    ticket,
    landed_at,
  }: {
    readonly series: string;
    readonly revision: number;
    readonly ticket: number;
    readonly landed_at: string;
  },
): void {
  db.prepare(
    `INSERT INTO landing (series, revision, since, ticket, landed_at, qa)
     VALUES (?, ?, ?, ?, ?, 'needs-testing') ON CONFLICT DO NOTHING`,
  ).run(series, revision, revision, ticket, landed_at);
}

/** A landing without a ticket: it takes one landing out, or brings back the contents of an older revision. */
export interface TakingOut {
  readonly revision: number;
  readonly landed_at: string;
  readonly undoes?: number;
  readonly revertsTo?: number;
  /** The series that it changes. */
  readonly series: readonly string[];
  readonly reason: string;
}

/**
 * Records a landing that takes others out of the archive, and which tickets it takes out or brings back;
 * recording it twice changes nothing. Call inside a transaction.
 */
export function recordTakingOut(
  db: Connection,
  landing: TakingOut,
  actor: string,
): void {
  const { revision } = landing;
  for (const series of landing.series) {
    const { changes } = db
      .prepare(
        `INSERT INTO landing (series, revision, reverts_to, undoes, actor, reason, landed_at, qa)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'untestable') ON CONFLICT DO NOTHING`,
      )
      .run(
        series,
        revision,
        landing.revertsTo ?? null,
        landing.undoes ?? null,
        actor,
        landing.reason,
        landing.landed_at,
      );
    if (changes === 0) continue;
    markUndone(db, series, revision, actor);
    renewSpans(db, series);
  }
}

interface Effect {
  readonly revision: number;
  readonly ticket: number | null;
  readonly revertsTo: number | null;
  readonly undoes: number | null;
  readonly rollback_of: number | null;
  readonly undone_by: number | null;
}

function effectsOf(db: Connection, series: string): Effect[] {
  return db
    .prepare<[string], Effect>(
      `SELECT revision, ticket, reverts_to AS revertsTo, undoes, rollback_of, undone_by FROM landing
       WHERE series = ? ORDER BY revision`,
    )
    .all(series);
}

const noted = (taken: readonly (number | null)[]) =>
  taken.filter((one) => one !== null);

/** Notes what a landing took out of the archive and what it brought back, and tells the tickets' histories. */
function markUndone(
  db: Connection,
  series: string,
  revision: number,
  actor: string,
): void {
  const landings = effectsOf(db, series);
  const spans = effectSpans(
    landings.map((one) => ({ ...one, takesOut: noted([one.undoes]) })),
  );
  const undoneBy = new Map(spans.map((span) => [span.revision, span.until]));
  const ofLanding = db.prepare(
    "UPDATE landing SET undone_by = ? WHERE series = ? AND revision = ?",
  );
  const ofTicket = db.prepare("UPDATE ticket SET undone_by = ? WHERE id = ?");
  for (const { revision: one, ticket, undone_by } of landings) {
    const by = undoneBy.get(one) ?? null;
    if (by === undone_by) continue;
    ofLanding.run(by, series, one);
    if (ticket === null) continue;
    ofTicket.run(by, ticket);
    // The pages of tickets are made anew after an event of theirs.
    recordTicketEvent(
      db,
      actor,
      ticket,
      by === null ? "back in the archive" : "taken out of the archive",
      { why: `by archive revision ${revision}` },
    );
  }
  const out = spans.filter(({ until }) => until === revision);
  db.prepare(
    "UPDATE landing SET rolls_back = ? WHERE series = ? AND revision = ?",
  ).run(JSON.stringify(out.map((span) => span.revision)), series, revision);
}

/**
 * Works out anew in which revisions each landing of a series has its effect, rollbacks that people have
 * told of included, and writes what has changed: a row has since when, and the table of the past what
 * ended.
 */
function renewSpans(db: Connection, series: string): void {
  const spans = effectSpans(
    effectsOf(db, series).map((one) => ({
      ...one,
      takesOut: noted([one.undoes, one.rollback_of]),
    })),
  );
  const lasting = new Map(
    spans.flatMap(({ revision, since, until }) =>
      until === null ? [[revision, since] as const] : [],
    ),
  );
  const before = db
    .prepare<[string], { revision: number; since: number | null }>(
      "SELECT revision, since FROM landing WHERE series = ?",
    )
    .all(series);
  const update = db.prepare(
    "UPDATE landing SET since = ? WHERE series = ? AND revision = ?",
  );
  for (const { revision, since } of before) {
    const now = lasting.get(revision) ?? null;
    if (now !== since) update.run(now, series, revision);
  }
  db.prepare("DELETE FROM landing_past WHERE series = ?").run(series);
  const add = db.prepare(
    "INSERT INTO landing_past (series, revision, since, until) VALUES (?, ?, ?, ?)",
  );
  for (const { revision, since, until } of spans)
    if (until !== null) add.run(series, revision, since, until);
}

/** The series that anything has landed in. */
export function landedSeries(db: Connection): string[] {
  return firstColumn<string>(
    db,
    // One look into the index for each, however much has landed.
    `WITH RECURSIVE known (series) AS (
       SELECT min(series) FROM landing
       UNION ALL SELECT (SELECT min(series) FROM landing WHERE landing.series > known.series)
       FROM known WHERE known.series IS NOT NULL)
     SELECT series FROM known WHERE series IS NOT NULL`,
  );
}

/** SQL: a landing that is not good at the time `@now`; its first line is that of the indexes. */
const doubtful = `(qa IN ('needs-testing', 'bad') OR qa_until IS NOT NULL)
  AND (qa IN ('needs-testing', 'bad') OR qa_until <= @now)`;

/**
 * When landings of a series that are bad or need testing had their effect: of those that still have it
 * the oldest and the one that has it for longest, which decide; of the others those that had it at or
 * after that.
 */
export function doubtfulSpans(db: Connection, series: string): EffectSpan[] {
  const at = { series, now: now() };
  const lasting = (order: "revision" | "since", index: string) =>
    db
      .prepare<typeof at, EffectSpan>(
        // SQLite would rather go through all good ones in the order of their keys.
        `SELECT revision, since, NULL AS until FROM landing INDEXED BY ${index}
         WHERE series = @series AND since IS NOT NULL AND ${doubtful} ORDER BY ${order} LIMIT 1`,
      )
      .all(at);
  const still = [
    ...lasting("revision", "landing_doubtful"),
    ...lasting("since", "landing_doubtful_since"),
  ];
  if (still.length === 0) return [];
  const from = Math.min(...still.map(({ since }) => since));
  const past = db
    .prepare<typeof at & { from: number }, EffectSpan>(
      `SELECT past.revision, past.since, past.until FROM landing_past past
         JOIN landing ON landing.series = past.series AND landing.revision = past.revision
       WHERE past.series = @series AND past.until >= @from AND ${doubtful}`,
    )
    .all({ ...at, from });
  return [...still, ...past];
}

/** The newest landing of a series below a revision, or undefined. */
export function newestLanding(
  db: Connection,
  series: string,
  below = Number.POSITIVE_INFINITY,
): number | undefined {
  return (
    firstValue<number | null>(
      db,
      "SELECT max(revision) FROM landing WHERE series = ? AND revision < ?",
      series,
      below,
    ) ?? undefined
  );
}

/** The landings that have their effect in a revision and are bad or need testing, at most so many. */
export function doubtfulIn(
  db: Connection,
  series: string,
  revision: number,
  limit: number,
): Landing[] {
  const at = { series, revision, limit, now: now() };
  return db
    .prepare<typeof at, Row>(
      `SELECT ${columns} FROM landing WHERE series = @series AND ${doubtful}
         AND (since <= @revision OR EXISTS (SELECT 1 FROM landing_past past WHERE past.series = landing.series
           AND past.revision = landing.revision AND past.since <= @revision AND past.until > @revision))
       ORDER BY revision LIMIT @limit`,
    )
    .all(at)
    .map(landingOf);
}

interface Row extends Omit<Landing, "sources" | "rolls_back" | "owner"> {
  readonly sources: string;
  readonly rolls_back: string;
  readonly owner: string | null;
}

const columns = `landing.series, landing.revision, landing.ticket, landed_at, note, rollback_of, landing.undone_by,
  iif(rollback_of IS NULL, rolls_back, json_array(rollback_of)) AS rolls_back,
  iif(qa_until <= @now, 'needs-testing', qa) AS qa, iif(qa_until <= @now, NULL, qa_until) AS qa_until,
  coalesce((SELECT email FROM ticket JOIN person ON person.id = ticket.owner WHERE ticket.id = landing.ticket), actor) AS owner,
  (SELECT json_group_array(json_object('source', source_package.name, 'version', upload.version) ORDER BY subticket.id)
     FROM subticket JOIN source_package_upload upload ON upload.id = subticket.upload
     JOIN source_package ON source_package.id = upload.source_package
     WHERE subticket.ticket = landing.ticket) AS sources`;

const landingOf = ({ sources, rolls_back, owner, ...row }: Row): Landing => ({
  ...row,
  owner: owner ?? "",
  sources: JSON.parse(sources) as Landing["sources"],
  rolls_back: JSON.parse(rolls_back) as number[],
});

/** The newest landings of a series above a revision, newest last. */
export function listLandings(
  db: Connection,
  series: string,
  { above, limit }: { above: number; limit: number },
): Landing[] {
  return db
    .prepare<
      { series: string; above: number; limit: number; now: string },
      Row
    >(
      `SELECT ${columns} FROM landing WHERE series = @series AND revision > @above ORDER BY revision DESC LIMIT @limit`,
    )
    .all({ series, above, limit, now: now() })
    .map(landingOf)
    .reverse();
}

/** How many landings that wait are read: nothing after them can be deployed before they are dealt with. */
const waitingRead = 250;

/**
 * The landings of a series that have their effect, and are bad or need testing: the oldest, and since
 * when they wait.
 */
export function doubtfulLandings(
  db: Connection,
  series: string,
): WaitingLanding[] {
  return db
    .prepare<
      { series: string; now: string },
      Row & { readonly waits_since: string }
    >(
      `SELECT ${columns}, iif(qa_until <= @now, qa_until, landed_at) AS waits_since
       FROM landing INDEXED BY landing_doubtful
       WHERE series = @series AND since IS NOT NULL AND ${doubtful}
       ORDER BY revision LIMIT ${waitingRead}`,
    )
    .all({ series, now: now() })
    .map(({ waits_since: since, ...row }) => ({
      landing: landingOf(row),
      since,
    }));
}

/** A revision's landings, one for each series that it changed; empty when nothing landed in it. */
export function landingsAt(db: Connection, revision: number): Landing[] {
  return db
    .prepare<{ revision: number; now: string }, Row>(
      `SELECT ${columns} FROM landing WHERE revision = @revision ORDER BY series`,
    )
    .all({ revision, now: now() })
    .map(landingOf);
}

/** Notes a verdict on the landings of a revision as their state. Call inside the transaction that checked it. */
export function setVerdict(
  db: Connection,
  landings: readonly Landing[],
  { qa, rollbackOf, until, note }: Verdict,
): void {
  const revision = landings[0]?.revision ?? null;
  db.prepare(
    `UPDATE landing SET qa = ?, qa_until = ?, note = ?, rollback_of = coalesce(?, rollback_of) WHERE revision = ?`,
  ).run(qa, until, note, rollbackOf, revision);
  if (rollbackOf !== null)
    for (const { series } of landings) renewSpans(db, series);
}
