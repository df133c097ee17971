import type { StepCode } from "../domain/step.ts";
import type { Connection } from "./database.ts";
import { openCondition } from "./queue.ts";
import { stepOfTicket } from "./ticket-status.ts";

/** A ticket that does not go on by itself. */
export interface StuckTicket {
  readonly id: number;
  readonly title: string;
  readonly owner: string;
  readonly step: StepCode;
  /** ISO 8601 UTC. */
  readonly since: string;
  readonly reason: string | null;
}

/**
 * Tickets that failed since that time, and that neither a retry nor a newer ticket of one of their source
 * packages has followed; oldest first.
 */
export function failedTickets(db: Connection, since: string): StuckTicket[] {
  return db
    .prepare<[string], StuckTicket>(
      `SELECT ticket.id, title, email AS owner, coalesce(failure_step, step) AS step,
         coalesce((SELECT finished_at FROM run WHERE run.ticket = ticket.id ORDER BY run.id DESC LIMIT 1), updated_at) AS since,
         failure_reason AS reason
       FROM ticket JOIN person ON person.id = ticket.owner
       WHERE status = 'failed' AND updated_at >= ? AND cancel_at IS NULL AND NOT EXISTS (
         SELECT 1 FROM subticket mine JOIN source_package_upload upload ON upload.id = mine.upload
         JOIN source_package_upload newer ON newer.source_package = upload.source_package
         JOIN subticket theirs ON theirs.upload = newer.id
         WHERE mine.ticket = ticket.id AND theirs.ticket > ticket.id)
       ORDER BY +ticket.id`,
    )
    .all(since);
}

/** SQL: when the last event of that name happened to the current ticket. */
const lastTime = (names: string) =>
  `(SELECT at FROM event WHERE subject = 'ticket' AND subject_id = CAST(ticket.id AS TEXT) AND what IN (${names})
    ORDER BY event.id DESC LIMIT 1)`;

/** Open tickets that wait for a person: set aside, held, or never queued. Oldest first. */
export function heldTickets(
  db: Connection,
): (StuckTicket & { readonly how: "set-aside" | "held" | "draft" })[] {
  return db
    .prepare<[], StuckTicket & { how: "set-aside" | "held" | "draft" }>(
      `SELECT ticket.id, title, email AS owner, ${stepOfTicket} AS step, waiting_for AS reason,
         CASE WHEN set_aside IS NOT NULL THEN 'set-aside' WHEN draft = 1 THEN 'draft' ELSE 'held' END AS how,
         coalesce(iif(set_aside IS NULL, ${lastTime("'held'")}, ${lastTime("'set aside'")}), ticket.created_at) AS since
       FROM ticket JOIN person ON person.id = ticket.owner
       WHERE status = 'held' AND ${openCondition} ORDER BY +ticket.id`,
    )
    .all();
}
