import type { Remedy } from "../domain/remedy.ts";
import type { StepCode } from "../domain/step.ts";
import { queueStep } from "../domain/step.ts";
import type { SetAside } from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { recordEvent } from "./events.ts";
import { dropJob } from "./jobs.ts";
import { releasePpa } from "./ppas.ts";

/** Why a ticket is set aside. */
export interface SettingAside {
  readonly needs: SetAside;
  readonly reason: string;
  /** The command that solves the problem, or null when there is only `retry`. */
  readonly remedy: Remedy | null;
  readonly run: number | null;
}

/**
 * Sets an open ticket aside until a person has acted, so that others need not wait for it. It gives back
 * its PPA, and continues at its step once it is queued again. Call inside a transaction.
 */
export function setTicketAside(
  db: Connection,
  ticket: number,
  { needs, reason, remedy, run }: SettingAside,
  actor: string,
): void {
  const was = db
    .prepare<[number], { step: StepCode; resume_step: StepCode | null }>(
      "SELECT step, resume_step FROM ticket WHERE id = ?",
    )
    .get(ticket);
  const step = was?.step ?? queueStep;
  dropJob(db, ticket);
  db.prepare(
    `UPDATE ticket SET step = ${queueStep}, status = 'held', set_aside = ?, resume_step = ?, waiting_for = ?,
       remedy = ?, tmpfails = 0, retry_at = NULL, updated_at = ? WHERE id = ?`,
  ).run(
    needs,
    step === queueStep ? (was?.resume_step ?? null) : step,
    reason,
    remedy === null ? null : JSON.stringify(remedy),
    now(),
    ticket,
  );
  db.prepare(
    `UPDATE subticket SET step = ${queueStep}, status = 'held' WHERE ticket = ?`,
  ).run(ticket);
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: ticket,
    what: "set aside",
    from_state: String(step),
    why: reason,
    run,
  });
  releasePpa(db, ticket, actor, "the ticket was set aside");
}

/** A ticket that was set aside, and why. */
export interface SetAsideTicket {
  readonly id: number;
  readonly step: StepCode;
  readonly reason: string;
}

/** The tickets that need a person, oldest first. */
export function ticketsSetAside(db: Connection): SetAsideTicket[] {
  return db
    .prepare<[], SetAsideTicket>(
      `SELECT id, coalesce(resume_step, step) AS step, coalesce(waiting_for, '') AS reason
       FROM ticket WHERE set_aside IS NOT NULL ORDER BY id`,
    )
    .all();
}
