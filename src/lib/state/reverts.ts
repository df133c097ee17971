import type { Connection } from "./database.ts";
import { recordTicketEvent } from "./events.ts";

/**
 * SQL: the ranges (low, high] of revisions whose landings the archive holds now: those since the last
 * revert, and those that the revision it went back to was made of.
 */
const lineage = `WITH RECURSIVE lineage (high, low) AS (
  SELECT ${Number.MAX_SAFE_INTEGER}, (SELECT max(revision) FROM revert)
  UNION ALL
  SELECT reverts_to, (SELECT max(revision) FROM revert earlier WHERE earlier.revision <= revert.reverts_to)
  FROM lineage JOIN revert ON revert.revision = lineage.low)`;

const held =
  "EXISTS (SELECT 1 FROM lineage WHERE archive_revision <= high AND archive_revision > coalesce(low, -1))";

/**
 * Records that a revision went back to an older one, and which landed tickets it took out or brought
 * back; recording it twice changes nothing. Call inside a transaction.
 */
export function recordRevert(
  db: Connection,
  { revision, revertsTo }: { revision: number; revertsTo: number },
  actor: string,
): void {
  const added = db
    .prepare(
      "INSERT INTO revert (revision, reverts_to) VALUES (?, ?) ON CONFLICT DO NOTHING",
    )
    .run(revision, revertsTo);
  if (added.changes === 0) return;
  const out = db
    .prepare<[number], { id: number }>(
      `${lineage} UPDATE ticket SET undone_by = ?
       WHERE archive_revision IS NOT NULL AND undone_by IS NULL AND NOT ${held} RETURNING id`,
    )
    .all(revision);
  const back = db
    .prepare<[], { id: number }>(
      `${lineage} UPDATE ticket SET undone_by = NULL WHERE undone_by IS NOT NULL AND ${held} RETURNING id`,
    )
    .all();
  const why = `archive revision ${revision} goes back to revision ${revertsTo}`;
  // The pages of tickets are made anew after an event of theirs.
  for (const { id } of out)
    recordTicketEvent(db, actor, id, "taken out of the archive", { why });
  for (const { id } of back)
    recordTicketEvent(db, actor, id, "back in the archive", { why });
}
