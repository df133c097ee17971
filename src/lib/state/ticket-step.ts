import type { StepCode } from "../domain/step.ts";
import type { Connection } from "./database.ts";

/** Puts a ticket and its subtickets at a step; what it waited for there is over. */
export function moveTicket(
  db: Connection,
  ticket: number,
  step: StepCode,
  status: string,
  at: string,
): void {
  db.prepare(
    `UPDATE ticket SET step = ?, status = ?, tmpfails = 0, retry_at = NULL, waiting_for = NULL, updated_at = ?,
       resume_step = iif(? < 999, NULL, resume_step) WHERE id = ?`,
  ).run(step, status, at, step, ticket);
  db.prepare("UPDATE subticket SET step = ?, status = ? WHERE ticket = ?").run(
    step,
    status,
    ticket,
  );
}
