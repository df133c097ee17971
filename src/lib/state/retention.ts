import { now } from "../host/clock.ts";
import { letSignalsIn } from "../host/let-signals-in.ts";
import { crashPoint } from "../files/crash-point.ts";
import type { Connection } from "./database.ts";
import { recordTicketEvent } from "./events.ts";

/**
 * The kinds of files of a ticket that expire together. `results`: only those of a landed ticket that a
 * newer landing superseded; `files`: uploads and results of any ended ticket.
 */
export type ExpiryKind = "images" | "logs" | "results" | "files";

/** The files of one kind that are due to expire for a ticket; size in bytes. */
export interface DueFiles {
  readonly ticket: number;
  readonly kind: ExpiryKind;
  readonly files: number;
  readonly size: number;
}

/** A file in the data store whose row says that it expired. */
export interface ExpiredFile {
  readonly id: number;
  readonly ticket: number;
  readonly container: string;
  readonly name: string;
}

const conditions: Readonly<Record<ExpiryKind, string>> = {
  images: "artifact.type = 'IMAGE'",
  logs: "artifact.type = 'LOGS'",
  results: "artifact.type = 'RESULTS' AND ticket.step = 1000",
  files: "artifact.type IN ('SPU', 'RESULTS')",
};

/** Tickets with the same source package in the same series as the `ticket` row at hand. */
const others = `
  SELECT 1 FROM source_package_upload theirs JOIN subticket ON subticket.upload = theirs.id
    JOIN ticket other ON other.id = subticket.ticket
  WHERE theirs.source_package = upload.source_package AND other.series = ticket.series`;

/** Whether the `ticket` row at hand is the newest, or the newest landed one, of a source package in its series. */
const isNewest = `EXISTS (
  SELECT 1 FROM subticket mine JOIN source_package_upload upload ON upload.id = mine.upload
  WHERE mine.ticket = ticket.id AND (
    NOT EXISTS (${others} AND other.id > ticket.id)
    OR ticket.step = 1000 AND NOT EXISTS (
      ${others} AND other.step = 1000 AND other.archive_revision > ticket.archive_revision)))`;

/** The numbers of all tickets of which `isNewest` is true: one pass instead of a search for each. */
const newest = `
  SELECT id FROM (SELECT max(ticket.id) AS id FROM subticket JOIN ticket ON ticket.id = subticket.ticket
    JOIN source_package_upload upload ON upload.id = subticket.upload
    GROUP BY upload.source_package, ticket.series)
  UNION
  SELECT id FROM (SELECT ticket.id AS id, max(ticket.archive_revision) FROM subticket
    JOIN ticket ON ticket.id = subticket.ticket
    JOIN source_package_upload upload ON upload.id = subticket.upload
    WHERE ticket.step = 1000 GROUP BY upload.source_package, ticket.series)`;

/** Files of ended tickets that were made, and whose tickets ended, before that time. */
const old = (kind: ExpiryKind) => `
  artifact.expired_at IS NULL AND ${conditions[kind]} AND artifact.created_at < @before
  AND ticket.step >= 999 AND ticket.updated_at < @before`;

/**
 * Tickets with files of a kind that are due to expire.
 *
 * @param before ISO 8601, UTC; the file was made and the ticket ended before this time
 */
export function dueFiles(
  db: Connection,
  kind: ExpiryKind,
  before: string,
): DueFiles[] {
  return db
    .prepare<
      [{ before: string }],
      { ticket: number; files: number; size: number }
    >(
      `SELECT artifact.ticket, count(*) AS files, sum(artifact.size) AS size
       FROM artifact JOIN ticket ON ticket.id = artifact.ticket WHERE ${old(kind)}
         AND ticket.id NOT IN (${newest})
       GROUP BY artifact.ticket ORDER BY artifact.ticket`,
    )
    .all({ before })
    .map((row) => ({ ...row, kind }));
}

/**
 * Marks a ticket's files of a kind as expired, if still due, with one event. {@link removeExpired}
 * deletes them afterwards, so that no row promises a file that is gone.
 */
export function markExpired(
  db: Connection,
  actor: string,
  { ticket, kind }: Pick<DueFiles, "ticket" | "kind">,
  before: string,
  why: string,
): number {
  return db
    .transaction(() => {
      const { changes } = db
        .prepare(
          `UPDATE artifact SET expired_at = @at, expiring = 1 WHERE id IN (
             SELECT artifact.id FROM artifact JOIN ticket ON ticket.id = artifact.ticket
             WHERE artifact.ticket = @ticket AND ${old(kind)} AND NOT ${isNewest})`,
        )
        .run({ at: now(), before, ticket });
      if (changes > 0)
        recordTicketEvent(db, actor, ticket, "expired", {
          why: `${changes} ${kind}: ${why}`,
        });
      return changes;
    })
    .immediate();
}

/** Files per transaction: few, since other writers have to wait for it. */
const batch = 50;

/**
 * Deletes the files of expired rows in small transactions; while one is open, no ticket can be reopened
 * and store a new file under the same name. After a kill, the next call continues.
 *
 * @returns how many were deleted
 * @throws the signal's reason when it was aborted
 */
export async function removeExpired(
  db: Connection,
  remove: (file: ExpiredFile) => void,
  signal: AbortSignal,
): Promise<number> {
  let removed = 0;
  for (;;) {
    await letSignalsIn(signal);
    const files = db
      .transaction(() => {
        const some = expiringFiles(db, batch);
        for (const file of some) {
          remove(file);
          crashPoint("expire.removed");
          db.prepare("UPDATE artifact SET expiring = 0 WHERE id = ?").run(
            file.id,
          );
        }
        return some.length;
      })
      .immediate();
    removed += files;
    if (files === 0) return removed;
  }
}

/** Expired files that are not deleted yet, except those of tickets in flight again. */
export function expiringFiles(db: Connection, limit: number): ExpiredFile[] {
  return db
    .prepare<[number], ExpiredFile>(
      `SELECT artifact.id, artifact.ticket, artifact.container, artifact.name
       FROM artifact JOIN ticket ON ticket.id = artifact.ticket
       WHERE artifact.expiring = 1 AND ticket.step >= 999 ORDER BY artifact.id LIMIT ?`,
    )
    .all(limit);
}

/** Names of the layers of images that may be tested (again): of tickets in flight, or that ended after `since`. */
export function imageLayersInUse(db: Connection, since: string): Set<string> {
  const rows = db
    .prepare<[string], { layers: string }>(
      `SELECT image.layers FROM ticket JOIN image ON image.ticket = ticket.id
       WHERE ticket.step < 999 OR ticket.updated_at >= ?`,
    )
    .all(since);
  return new Set(rows.flatMap(({ layers }) => JSON.parse(layers) as string[]));
}

/** Digests and names of the bases used by tickets in flight, or that ended after `since`. */
export function basesInUse(db: Connection, since: string): Set<string> {
  const rows = db
    .prepare<
      [string],
      { base_digest: string | null; base_image: string | null }
    >(
      `SELECT DISTINCT base_digest, base_image FROM ticket
       WHERE (step < 999 OR updated_at >= ?) AND (base_digest IS NOT NULL OR base_image IS NOT NULL)`,
    )
    .all(since);
  return new Set(
    rows.flatMap(({ base_digest, base_image }) => [
      ...(base_digest === null ? [] : [base_digest]),
      ...(base_image === null ? [] : [base_image]),
    ]),
  );
}
