import { cancelledInWords } from "../domain/cancel.ts";
import type { StepCode } from "../domain/step.ts";
import { failedStep, queueStep } from "../domain/step.ts";
import type { Cancellation } from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import { crashPoint } from "../files/crash-point.ts";
import type { Connection } from "./database.ts";
import { recordTicketEvent } from "./events.ts";
import { releasePpa } from "./ppas.ts";
import { stepOfTicket } from "./ticket-status.ts";
import { moveTicket } from "./ticket-step.ts";

/** The request to cancel a ticket, or null. The process that works on the ticket reads this once a second. */
export function cancellationOf(
  db: Connection,
  ticket: number,
): Cancellation | null {
  const row = db
    .prepare<[number], { at: string; by: string; reason: string | null }>(
      `SELECT cancel_at AS at, cancel_by AS "by", cancel_reason AS reason FROM ticket
       WHERE id = ? AND cancel_at IS NOT NULL`,
    )
    .get(ticket);
  return row ?? null;
}

/** Clears a request to cancel, because the ticket continues or has already landed. */
export function forgetCancellation(db: Connection, ticket: number): void {
  db.prepare(
    "UPDATE ticket SET cancel_at = NULL, cancel_by = NULL, cancel_reason = NULL WHERE id = ?",
  ).run(ticket);
}

/** Ends a cancelled ticket that no process works on, and records the step at which a retry would continue. */
export function endCancelled(
  db: Connection,
  ticket: number,
  cancelled: Cancellation,
  actor: string,
  run: number | null,
): void {
  const was = db
    .prepare<[number], { step: StepCode; resume_step: StepCode | null }>(
      `SELECT ${stepOfTicket} AS step, resume_step FROM ticket WHERE id = ?`,
    )
    .get(ticket);
  const step = was?.step ?? queueStep;
  moveTicket(db, ticket, failedStep, "failed", now());
  db.prepare("UPDATE ticket SET resume_step = ? WHERE id = ?").run(
    step === queueStep ? (was?.resume_step ?? queueStep) : step,
    ticket,
  );
  recordTicketEvent(db, actor, ticket, "cancelled", {
    from_state: String(step),
    to_state: String(failedStep),
    why: cancelledInWords(cancelled),
    run,
  });
  crashPoint("cancel.recorded");
  releasePpa(db, ticket, actor, "the ticket was cancelled");
}

/**
 * Cancels a ticket: at once if no process works on it; otherwise that process ends it. Call inside the
 * transaction that found the ticket open.
 */
export function cancelTicket(
  db: Connection,
  ticket: number,
  kind: "end" | "ask",
  actor: string,
  reason: string | null,
): void {
  // Only the first request counts.
  const asked = db
    .prepare(
      `UPDATE ticket SET cancel_at = ?, cancel_by = ?, cancel_reason = ?, retry_at = NULL
       WHERE id = ? AND cancel_at IS NULL`,
    )
    .run(now(), actor, reason, ticket);
  const cancelled = cancellationOf(db, ticket);
  if (kind === "end" && cancelled !== null) {
    endCancelled(db, ticket, cancelled, actor, null);
  } else if (asked.changes === 1) {
    recordTicketEvent(db, actor, ticket, "cancel asked", {
      ...(reason !== null && { why: reason }),
    });
  }
}
