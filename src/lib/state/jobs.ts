import { randomUUID } from "node:crypto";

import type { WorkStepCode } from "../domain/step.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { recordTicketEvent } from "./events.ts";
import type { OpenJob } from "./open-jobs.ts";
import { jobOf } from "./open-jobs.ts";

/** Records that a job is about to be submitted. An earlier submission that was interrupted keeps its key. */
export function beginJob(
  db: Connection,
  ticket: number,
  step: WorkStepCode,
  remote: string,
): string {
  return db
    .transaction(() => {
      const begun = jobOf(db, ticket);
      if (begun?.remote === remote && begun.step === step) return begun.key;
      dropJob(db, ticket);
      const key = `ticket-${ticket}-${step}-${randomUUID()}`;
      db.prepare(
        `INSERT INTO job (key, ticket, step, remote, began_at, tmpfails)
         SELECT ?, id, ?, ?, ?, tmpfails FROM ticket WHERE id = ?`,
      ).run(key, step, remote, now(), ticket);
      return key;
    })
    .immediate();
}

/**
 * Records the id of a submitted job. If its ticket has continued without it, the job is marked for
 * cancelling, in a new row if its own was deleted meanwhile.
 */
export function nameJob(
  db: Connection,
  job: Pick<OpenJob, "key" | "ticket" | "step" | "remote"> & {
    readonly id: string;
  },
): void {
  db.prepare(
    `INSERT INTO job (key, ticket, step, remote, id, began_at, tmpfails, unwanted)
     VALUES (@key, @ticket, @step, @remote, @id, @at, 0, 1)
     ON CONFLICT (key) DO UPDATE SET id = excluded.id`,
  ).run({ ...job, at: now() });
}

/** Marks a job that its ticket no longer waits for; the next pass cancels it. */
export function dropJob(db: Connection, ticket: number): void {
  db.prepare(
    "UPDATE job SET unwanted = 1, look_at = NULL WHERE ticket = ? AND unwanted = 0",
  ).run(ticket);
}

/** Deletes the job of a ticket, which has ended and whose results were fetched. */
export function endJob(db: Connection, ticket: number): void {
  db.prepare("DELETE FROM job WHERE ticket = ? AND unwanted = 0").run(ticket);
}

/** Sets when a ticket's job is to be polled; null while a pass works on it, or the ticket waits for another reason. */
export function lookAt(
  db: Connection,
  ticket: number,
  at: string | null,
): void {
  db.prepare(
    "UPDATE job SET look_at = ? WHERE ticket = ? AND unwanted = 0",
  ).run(at, ticket);
}

/** Deletes an unwanted job, and records that it was cancelled or why it was not. */
export function forgetJob(
  db: Connection,
  { key, ticket, step }: OpenJob,
  actor: string,
  why: string,
): void {
  db.transaction(() => {
    const { changes } = db.prepare("DELETE FROM job WHERE key = ?").run(key);
    if (changes > 0) tell(db, ticket, step, actor, "job cancelled", why);
  }).immediate();
}

/** Schedules another attempt at cancelling a job. Repeated failures are not recorded as events. */
export function postponeJob(
  db: Connection,
  { key, ticket, step, look_at: before }: OpenJob,
  at: string,
  actor: string,
  why: string,
): void {
  db.transaction(() => {
    const { changes } = db
      .prepare("UPDATE job SET look_at = ? WHERE key = ?")
      .run(at, key);
    if (changes > 0 && before === null)
      tell(db, ticket, step, actor, "job not cancelled", why);
  }).immediate();
}

function tell(
  db: Connection,
  ticket: number,
  step: WorkStepCode,
  actor: string,
  what: string,
  why: string,
): void {
  recordTicketEvent(db, actor, ticket, what, { from_state: String(step), why });
}
