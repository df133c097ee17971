import { failedStep } from "../domain/step.ts";

/** SQL: the status of the `ticket` row at hand, a TicketStatus. What was set aside is held as well. */
export const statusOfTicket = `CASE
  WHEN ticket.set_aside IS NOT NULL THEN 'set-aside'
  WHEN ticket.draft = 1 AND ticket.status = 'held' THEN 'draft'
  WHEN ticket.cancel_at IS NOT NULL AND ticket.step = ${failedStep} THEN 'cancelled'
  ELSE ticket.status END`;

/** SQL: the step of the `ticket` row at hand. What was set aside stays where it was, without a PPA. */
export const stepOfTicket =
  "iif(ticket.set_aside IS NULL, ticket.step, coalesce(ticket.resume_step, ticket.step))";
