import type { StepCode, WorkStepCode } from "../domain/step.ts";
import {
  comesAfter,
  failedStep,
  imageStep,
  queueStep,
} from "../domain/step.ts";
import { now } from "../host/clock.ts";
import { crashPoint } from "../files/crash-point.ts";
import { forgetCancellation } from "./cancellation.ts";
import type { Connection } from "./database.ts";
import { recordTicketEvent } from "./events.ts";
import { lookAt } from "./jobs.ts";
import { jobOf } from "./open-jobs.ts";
import { stepOfTicket } from "./ticket-status.ts";
import { moveTicket } from "./ticket-step.ts";

/** Requeues a ticket that has ended or was set aside, to continue at a step. Call inside the checking transaction. */
export function reopenTicket(
  db: Connection,
  ticket: number,
  resume: WorkStepCode,
  actor: string,
): void {
  const from = db
    .prepare<[number], { step: StepCode }>(
      `SELECT ${stepOfTicket} AS step FROM ticket WHERE id = ?`,
    )
    .get(ticket);
  moveTicket(db, ticket, queueStep, "waiting", now());
  forgetCancellation(db, ticket);
  db.prepare(
    `UPDATE ticket SET resume_step = ?, failure_step = NULL, failure_kind = NULL, failure_reason = NULL,
       failure_artifact = NULL WHERE id = ?`,
  ).run(resume === queueStep ? null : resume, ticket);
  // The image will be rebuilt; if that step is skipped, tests must not run on the old one.
  crashPoint("retry.recorded");
  if (!comesAfter(resume, imageStep))
    db.prepare("DELETE FROM image WHERE ticket = ?").run(ticket);
  recordTicketEvent(db, actor, ticket, "retried", {
    from_state: String(from?.step ?? failedStep),
    to_state: String(queueStep),
    why: `to go on at ${resume}`,
  });
}

/** Makes the next attempt, or the next poll of its job, due at once. Call inside the checking transaction. */
export function retryNow(db: Connection, ticket: number, actor: string): void {
  db.prepare(
    "UPDATE ticket SET retry_at = NULL, updated_at = ? WHERE id = ?",
  ).run(now(), ticket);
  if (jobOf(db, ticket)?.look_at != null) lookAt(db, ticket, now());
  recordTicketEvent(db, actor, ticket, "retried", { why: "due at once" });
}
