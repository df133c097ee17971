import type { WorkStepCode } from "../domain/step.ts";
import { now } from "../host/clock.ts";
import { crashPoint } from "../files/crash-point.ts";
import { forgetCancellation } from "./cancellation.ts";
import type { Connection } from "./database.ts";
import { recordEvent } from "./events.ts";
import { moveTicket } from "./ticket-step.ts";

/** Starts a ticket that has ended again, to go on at that step; called inside the checking transaction. */
export function reopenTicket(
  db: Connection,
  ticket: number,
  resume: WorkStepCode,
  actor: string,
): void {
  moveTicket(db, ticket, 100, "waiting", now());
  forgetCancellation(db, ticket);
  db.prepare(
    `UPDATE ticket SET resume_step = ?, failure_step = NULL, failure_kind = NULL, failure_reason = NULL,
       failure_artifact = NULL WHERE id = ?`,
  ).run(resume === 100 ? null : resume, ticket);
  // It is made anew; tests must not run on the old one when that is passed over.
  crashPoint("retry.recorded");
  if (resume <= 300)
    db.prepare("DELETE FROM image WHERE ticket = ?").run(ticket);
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: ticket,
    what: "retried",
    from_state: "999",
    to_state: "100",
    why: `to go on at ${resume}`,
  });
}

/** Makes the next attempt due at once; called inside the checking transaction. */
export function retryNow(db: Connection, ticket: number, actor: string): void {
  db.prepare(
    "UPDATE ticket SET retry_at = NULL, updated_at = ? WHERE id = ?",
  ).run(now(), ticket);
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: ticket,
    what: "retried",
    why: "due at once",
  });
}
