import type { FeedEvent, FeedKind } from "../domain/feed-event.ts";
import { completeStep, testsStep } from "../domain/step.ts";
import type { Connection } from "./database.ts";
import { firstColumn, prepared } from "./database.ts";
import { publishedBefore } from "./report-rows.ts";

/** How many entries a feed has, and among how many of a package's or an owner's newest tickets they are looked for. */
const entries = 50;
const ticketsLookedAt = 100;
/** Among how many runs of tests that failed new failures are looked for. */
const failuresLookedAt = 100;

/** SQL: an event that the feeds of a ticket's package and owner tell. */
const ofTickets = `event.subject = 'ticket' AND (event.what IN ('failed', 'set aside', 'taken out of the archive', 'back in the archive')
  OR (event.what = 'passed' AND event.to_state = '${completeStep}'))`;
/** SQL: an event that the feed of everything tells. What an undo or a revert did is told once, not for each ticket. */
const ofEverything = `((event.subject = 'ticket' AND (event.what IN ('failed', 'set aside')
    OR (event.what = 'passed' AND event.to_state = '${completeStep}')))
  OR (event.subject = 'archive' AND event.what IN ('undone', 'reverted')))`;

interface Row extends Omit<FeedEvent, "sources" | "kind" | "blame" | "tests"> {
  readonly what: string;
  readonly subject: string;
  readonly subject_id: string;
  readonly outcome: string | null;
  readonly sources: string;
}

const columns = `event.id, event.at, event.actor, event.what, event.subject, event.subject_id, event.ticket, ticket.title,
  (SELECT email FROM person WHERE id = ticket.owner) AS owner, ticket.archive_revision AS revision, run.outcome,
  CASE WHEN event.what = 'failed' THEN coalesce(run.reason, event.why) ELSE event.why END AS why,
  (SELECT json_group_array(json_object('source', source_package.name, 'version', upload.version) ORDER BY subticket.id)
     FROM subticket JOIN source_package_upload upload ON upload.id = subticket.upload
     JOIN source_package ON source_package.id = upload.source_package WHERE subticket.ticket = ticket.id) AS sources`;
const withTicket = `LEFT JOIN ticket ON ticket.id = event.ticket LEFT JOIN run ON run.id = event.run`;

/** What has to be said of the newest events, newest first. */
export function newestFeedEvents(db: Connection): FeedEvent[] {
  return prepared<[number], Row>(
    db,
    `SELECT ${columns} FROM event NOT INDEXED ${withTicket} WHERE ${ofEverything} ORDER BY event.id DESC LIMIT ?`,
  )
    .all(entries)
    .map((row) => told(db, row));
}

/** What has to be said of tickets, newest first. */
export function feedEventsOf(
  db: Connection,
  tickets: readonly number[],
): FeedEvent[] {
  return prepared<[string, number], Row>(
    db,
    `SELECT ${columns} FROM (SELECT event.* FROM json_each(?) wanted CROSS JOIN event ON event.ticket = wanted.value
         WHERE ${ofTickets} ORDER BY event.id DESC LIMIT ?) event ${withTicket} ORDER BY event.id DESC`,
  )
    .all(JSON.stringify(tickets.slice(0, ticketsLookedAt)), entries)
    .map((row) => told(db, row));
}

/** The newest tickets of owners, newest first, by the owner's address. */
export function ticketsOfOwners(
  db: Connection,
  owners: readonly string[],
): ReadonlyMap<string, readonly number[]> {
  const rows = prepared<[string, number], { owner: string; tickets: string }>(
    db,
    `SELECT person.email AS owner, json_group_array(one.id ORDER BY one.id DESC) AS tickets FROM (
         SELECT id, owner, row_number() OVER (PARTITION BY owner ORDER BY id DESC) AS place FROM ticket
           WHERE owner IN (SELECT id FROM person WHERE email IN (SELECT value FROM json_each(?)))) one
       JOIN person ON person.id = one.owner WHERE place <= ? GROUP BY one.owner ORDER BY 1`,
  ).all(JSON.stringify(owners), ticketsLookedAt);
  return new Map(
    rows.map(({ owner, tickets }) => [owner, JSON.parse(tickets) as number[]]),
  );
}

/** What tells the history of this state from every other's; null before it begins. */
export function originOf(db: Connection): string | null {
  return (
    db
      .prepare<[], { origin: string }>(
        "SELECT id || ' ' || at || ' ' || actor AS origin FROM event ORDER BY id LIMIT 1",
      )
      .get()?.origin ?? null
  );
}

/** What the feeds have to tell since an event: of which owners, and whether anything may have got worse. */
interface FeedNews {
  readonly owners: readonly string[];
  readonly any: boolean;
  readonly worse: boolean;
}

/** @param since number of an event; 0: everything */
export function feedNews(db: Connection, since: number): FeedNews {
  const first = (condition: string) =>
    db
      .prepare<[number]>(
        `SELECT 1 FROM event NOT INDEXED WHERE id > ? AND ${condition} LIMIT 1`,
      )
      .get(since) !== undefined;
  return {
    owners:
      since === 0
        ? firstColumn<string>(
            db,
            "SELECT email FROM person WHERE id IN (SELECT owner FROM ticket) ORDER BY 1",
          )
        : firstColumn<string>(
            db,
            `SELECT DISTINCT person.email FROM event NOT INDEXED CROSS JOIN ticket ON ticket.id = event.ticket
               JOIN person ON person.id = ticket.owner
             WHERE event.id > ? AND event.subject = 'ticket' AND (event.what = 'created' OR (${ofTickets})) ORDER BY 1`,
            since,
          ),
    any: first(ofEverything),
    worse: first(
      "(event.what = 'failed' OR (event.subject = 'landing' AND event.what = 'qa'))",
    ),
  };
}

/**
 * What got worse, newest first: tests that fail and passed in the version before, and landings that
 * somebody found to be bad. What was ignored when the tests were judged stays ignored, and a later attempt
 * changes nothing: entries stay as they were.
 */
export function regressions(db: Connection): FeedEvent[] {
  const failed = prepared<[number], Row & { readonly run: number }>(
    db,
    `SELECT ${columns}, event.run FROM run INDEXED BY run_by_step
       JOIN event ON event.ticket = run.ticket AND event.run = run.id AND event.what = 'failed'
       JOIN ticket ON ticket.id = event.ticket
     WHERE run.step = ${testsStep} AND run.finished_at IS NOT NULL AND run.outcome = 'failed'
     ORDER BY run.id DESC LIMIT ?`,
  )
    .all(failuresLookedAt)
    .flatMap((row): FeedEvent[] => {
      const tests = newFailures(db, row.ticket ?? 0, row.run);
      return tests.length === 0
        ? []
        : [{ ...told(db, row), kind: "regression", tests }];
    });
  const bad = prepared<[number], Row>(
    db,
    `SELECT ${columns.replace("ticket.archive_revision", "CAST(event.subject_id AS INTEGER)")}
       FROM event INDEXED BY event_by_subject ${withTicket}
     WHERE event.subject = 'landing' AND event.what = 'qa' AND event.to_state = 'bad'
     ORDER BY event.id DESC LIMIT ?`,
  )
    .all(entries)
    .map((row): FeedEvent => ({ ...told(db, row), kind: "bad", blame: null }));
  return [...failed, ...bad]
    .sort((one, other) => other.id - one.id)
    .slice(0, entries);
}

/** The tests of a run that failed and had passed when their package was published last. */
function newFailures(
  db: Connection,
  ticket: number,
  run: number,
): FeedEvent["tests"] {
  const before = new Map<string, ReadonlySet<string>>();
  return prepared<[number, number], FeedEvent["tests"][number]>(
    db,
    `SELECT package, name FROM test_result WHERE ticket = ? AND run = ? AND result = 'fail'
       AND coalesce(state, '') <> 'waived' ORDER BY package, name`,
  )
    .all(ticket, run)
    .filter((test) => {
      let passed = before.get(test.package);
      if (passed === undefined)
        before.set(test.package, (passed = passedBefore(db, ticket, test)));
      return passed.has(test.name);
    });
}

function passedBefore(
  db: Connection,
  ticket: number,
  test: { readonly package: string },
): ReadonlySet<string> {
  const then = publishedBefore(db, test.package, ticket)?.ticket;
  if (then === undefined) return new Set();
  return new Set(
    firstColumn<string>(
      db,
      `SELECT name FROM test_result WHERE ticket = ? AND run = (SELECT max(run) FROM test_result WHERE ticket = ?)
         AND package = ? AND result = 'pass'`,
      ...[then, then, test.package],
    ),
  );
}

const kinds: Readonly<Record<string, FeedKind>> = {
  passed: "landed",
  failed: "failed",
  "set aside": "set-aside",
  "taken out of the archive": "taken-out",
  "back in the archive": "back",
  undone: "taken-out",
  reverted: "reverted",
};

function told(
  db: Connection,
  { what, subject, subject_id, outcome, sources, ...row }: Row,
): FeedEvent {
  const kind = kinds[what] ?? "failed";
  const revision =
    subject === "archive" ? Number(subject_id) : (row.revision ?? null);
  return {
    ...row,
    kind,
    revision,
    blame:
      kind !== "failed"
        ? null
        : outcome === "failed"
          ? "package"
          : "infrastructure",
    sources: JSON.parse(sources) as FeedEvent["sources"],
    why:
      subject === "ticket" && (kind === "taken-out" || kind === "back")
        ? reasonOf(db, row.why)
        : row.why,
    tests: [],
  };
}

/** Why a ticket was taken out or came back: its own event only names the archive's revision. */
function reasonOf(db: Connection, why: string | null): string | null {
  const revision = /archive revision (\d+)$/.exec(why ?? "")?.[1];
  if (revision === undefined) return why;
  const [reason] = firstColumn<string>(
    db,
    `SELECT why FROM event WHERE subject = 'archive' AND subject_id = ? AND what IN ('undone', 'reverted')
       AND why IS NOT NULL ORDER BY id DESC LIMIT 1`,
    revision,
  );
  return reason === undefined ? why : `${why ?? ""}, ${reason}`;
}
