import type { FailedTicket } from "../domain/failure-groups.ts";
import type { StepCode } from "../domain/step.ts";
import { stepOf } from "../domain/step.ts";
import type { TicketStatus } from "../domain/ticket.ts";
import type { Connection } from "./database.ts";
import { firstColumn, prepared } from "./database.ts";
import { statusOfTicket } from "./ticket-status.ts";

/** How far the history of a state has got. */
interface Happened {
  /** Number of the newest event, 0 before the first; and its time, ISO 8601 UTC. */
  readonly event: number;
  readonly at: string | null;
  /** Whether any ticket is open: its page also changes with time. */
  readonly open: boolean;
}

export function whatHappened(db: Connection): Happened {
  return db
    .prepare<[], { event: number; at: string | null; open: 0 | 1 }>(
      `SELECT coalesce((SELECT max(id) FROM event), 0) AS event,
         (SELECT at FROM event ORDER BY id DESC LIMIT 1) AS at,
         EXISTS (SELECT 1 FROM ticket WHERE step < 999) AS open`,
    )
    .all()
    .map(({ open, ...newest }) => ({
      ...newest,
      open: open === 1,
    }))[0] as Happened;
}

/**
 * The tickets with events after event `since`, and the open ones. Null when the history cannot tell,
 * because it begins later, belongs to another state, or the whole state was replaced.
 */
export function changedTickets(db: Connection, since: number): number[] | null {
  const { oldest, newest } = db
    .prepare<[], { oldest: number | null; newest: number | null }>(
      // In a single SELECT, min and max would not use the ends of the index.
      "SELECT (SELECT min(id) FROM event) AS oldest, (SELECT max(id) FROM event) AS newest",
    )
    .get() ?? { oldest: null, newest: null };
  if (oldest === null || newest === null) return null;
  if (oldest > since + 1 || newest < since) return null;
  // Few events are newer, so searching by id is faster than any other index.
  const all = db
    .prepare<[number], { found: 1 }>(
      "SELECT 1 AS found FROM event NOT INDEXED WHERE id > ? AND subject IN ('state', 'program') AND what NOT IN ('backed-up', 'not sent', 'sent again')",
    )
    .get(since);
  if (all !== undefined) return null;
  return firstColumn<number>(
    db,
    `SELECT ticket AS id FROM event NOT INDEXED WHERE id > ? AND ticket IS NOT NULL
       UNION SELECT id FROM ticket WHERE step < 999 ORDER BY id`,
    since,
  );
}

/** The ids of all tickets, oldest first. */
export function allTickets(db: Connection): number[] {
  return firstColumn<number>(db, "SELECT id FROM ticket ORDER BY id");
}

/** The ids of ended tickets, newest first: those in a range of numbers, or at most `limit`. */
export function endedTickets(
  db: Connection,
  {
    from = 1,
    to = Number.MAX_SAFE_INTEGER,
    limit = -1,
  }: { readonly from?: number; readonly to?: number; readonly limit?: number },
): number[] {
  return firstColumn<number>(
    db,
    "SELECT id FROM ticket WHERE step >= 999 AND id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?",
    from,
    to,
    limit,
  );
}

/** A range of ticket numbers, and how many of these tickets have ended. */
export interface TicketRange {
  readonly from: number;
  readonly to: number;
  readonly ended: number;
}

/** The ranges of `size` ticket numbers that contain ended tickets, oldest first. */
export function endedRanges(db: Connection, size: number): TicketRange[] {
  return db
    .prepare<{ size: number }, TicketRange>(
      // JavaScript numbers are bound as REAL, for which `/` is not integer division.
      `SELECT place * @size + 1 AS "from", (place + 1) * @size AS "to", count(*) AS ended
       FROM (SELECT (id - 1) / CAST(@size AS INTEGER) AS place FROM ticket WHERE step >= 999)
       GROUP BY place ORDER BY place`,
    )
    .all({ size });
}

/** A source package, with its newest ticket and the number of its tickets. */
export interface PackageRow {
  readonly source: string;
  readonly version: string;
  readonly status: TicketStatus;
  readonly tickets: number;
}

/** Every source package that has had tickets, by name. */
export function packageRows(db: Connection): PackageRow[] {
  // With max(), the other columns come from the row of the maximum (SQLite, "Bare columns in an aggregate query").
  return db
    .prepare<[], PackageRow & { newest: number }>(
      `SELECT source_package.name AS source, upload.version, ${statusOfTicket} AS status, count(*) AS tickets, max(ticket.id) AS newest
       FROM subticket JOIN ticket ON ticket.id = subticket.ticket
       JOIN source_package_upload upload ON upload.id = subticket.upload
       JOIN source_package ON source_package.id = upload.source_package
       GROUP BY source_package.id ORDER BY source_package.name`,
    )
    .all()
    .map(({ source, version, status, tickets }) => ({
      source,
      version,
      status,
      tickets,
    }));
}

/** The names of the source packages of these tickets. */
export function sourcesOfTickets(
  db: Connection,
  tickets: readonly number[],
): string[] {
  return firstColumn<string>(
    db,
    `SELECT DISTINCT source_package.name FROM json_each(?) JOIN subticket ON subticket.ticket = value
       JOIN source_package_upload upload ON upload.id = subticket.upload
       JOIN source_package ON source_package.id = upload.source_package ORDER BY 1`,
    JSON.stringify(tickets),
  );
}

/** One version of a source package, with the ticket that brought it. */
export interface PackageVersion {
  readonly version: string;
  readonly ticket: number;
  readonly title: string;
  readonly series: string;
  readonly status: TicketStatus;
  readonly updated_at: string;
  /** The archive revision that published it, and the one that took it out again; or null. */
  readonly archive_revision: number | null;
  readonly undone_by: number | null;
}

/** The newest versions of a source package that have had tickets, newest ticket first. */
export function packageHistory(
  db: Connection,
  source: string,
  limit = 100,
): PackageVersion[] {
  return prepared<[string, number], PackageVersion>(
    db,
    `SELECT upload.version, ticket.id AS ticket, ticket.title, ticket.series, ${statusOfTicket} AS status, ticket.updated_at,
         ticket.archive_revision, ticket.undone_by
       FROM source_package JOIN source_package_upload upload ON upload.source_package = source_package.id
       JOIN subticket ON subticket.upload = upload.id JOIN ticket ON ticket.id = subticket.ticket
       WHERE source_package.name = ? ORDER BY ticket.id DESC LIMIT ?`,
  ).all(source, limit);
}

/** How many tickets have each status. */
export function countsByStatus(
  db: Connection,
): Partial<Record<TicketStatus, number>> {
  const rows = db
    .prepare<[], { status: TicketStatus; count: number }>(
      `SELECT ${statusOfTicket} AS status, count(*) AS count FROM ticket GROUP BY 1 ORDER BY 1`,
    )
    .all();
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
}

/** When tickets have landed since a time, ISO 8601 UTC. */
export function landedSince(db: Connection, since: string): string[] {
  return firstColumn<string>(
    db,
    "SELECT landed_at FROM landing WHERE ticket IS NOT NULL AND landed_at >= ?",
    since,
  );
}

/** How many tickets each series has, by name. */
export function countsBySeries(
  db: Connection,
): { readonly series: string; readonly count: number }[] {
  return db
    .prepare<[], { series: string; count: number }>(
      "SELECT series, count(*) AS count FROM ticket GROUP BY series ORDER BY series",
    )
    .all();
}

/** The ids of the newest tickets of a series or with a status, newest first. */
export function newestTickets(
  db: Connection,
  kind: "series" | "status",
  name: string,
  limit: number,
): number[] {
  const column = kind === "series" ? "ticket.series" : statusOfTicket;
  return firstColumn<number>(
    db,
    `SELECT id FROM ticket WHERE ${column} = ? ORDER BY id DESC LIMIT ?`,
    name,
    limit,
  );
}

/** The newest ticket below a number that published a source package, or null. */
export function publishedBefore(
  db: Connection,
  source: string,
  ticket: number,
): { readonly ticket: number; readonly version: string } | null {
  return (
    prepared<[string, number], { ticket: number; version: string }>(
      db,
      `SELECT ticket.id AS ticket, upload.version
       FROM source_package JOIN source_package_upload upload ON upload.source_package = source_package.id
       JOIN subticket ON subticket.upload = upload.id JOIN ticket ON ticket.id = subticket.ticket
       WHERE source_package.name = ? AND ticket.id < ? AND ticket.archive_revision IS NOT NULL
       ORDER BY ticket.id DESC LIMIT 1`,
    ).get(source, ticket) ?? null
  );
}

/** Tickets that failed since a time, newest first, at most so many; without those that were cancelled. */
export function recentFailures(
  db: Connection,
  since: string,
  limit: number,
): FailedTicket[] {
  return db
    .prepare<
      [string, number],
      Omit<FailedTicket, "step"> & { readonly step: StepCode }
    >(
      `SELECT ticket.id AS ticket, title, email AS owner, series, failure_kind AS kind, failure_step AS step,
         coalesce(failure_reason, '') AS reason, updated_at AS at
       FROM ticket JOIN person ON person.id = ticket.owner
       WHERE status = 'failed' AND updated_at >= ? AND cancel_at IS NULL
         AND failure_step IS NOT NULL AND failure_kind IS NOT NULL
       ORDER BY updated_at DESC, ticket.id DESC LIMIT ?`,
    )
    .all(since, limit)
    .map(({ step, ...row }) => ({ ...row, step: stepOf(step).name }));
}
