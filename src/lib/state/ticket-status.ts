import { failedStep } from "../domain/step.ts";

/** SQL: the TicketStatus of the current `ticket` row. A ticket that was set aside is also 'held' in its row. */
export const statusOfTicket = `CASE
  WHEN ticket.set_aside IS NOT NULL THEN 'set-aside'
  WHEN ticket.draft = 1 AND ticket.status = 'held' THEN 'draft'
  WHEN ticket.cancel_at IS NOT NULL AND ticket.step = ${failedStep} THEN 'cancelled'
  ELSE ticket.status END`;

/** SQL: the step of the current `ticket` row. A ticket that was set aside is shown at the step it had reached. */
export const stepOfTicket =
  "iif(ticket.set_aside IS NULL, ticket.step, coalesce(ticket.resume_step, ticket.step))";
