import type { StepCode } from "../domain/step.ts";
import { failedStep } from "../domain/step.ts";
import type { Connection } from "./database.ts";
import { dropJob } from "./jobs.ts";

/** Moves a ticket and its subtickets to a step, and clears what it waited for before, including a job. */
export function moveTicket(
  db: Connection,
  ticket: number,
  step: StepCode,
  status: string,
  at: string,
): void {
  db.prepare(
    `UPDATE ticket SET step = ?, status = ?, tmpfails = 0, retry_at = NULL, waiting_for = NULL, remedy = NULL, set_aside = NULL, draft = 0,
       updated_at = ?, resume_step = iif(? < ${failedStep}, NULL, resume_step) WHERE id = ?`,
  ).run(step, status, at, step, ticket);
  db.prepare("UPDATE subticket SET step = ?, status = ? WHERE ticket = ?").run(
    step,
    status,
    ticket,
  );
  dropJob(db, ticket);
}
