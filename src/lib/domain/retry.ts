import { refused } from "./error.ts";
import type { Step, WorkStepCode } from "./step.ts";
import { ignoring } from "./override.ts";
import { commandOf, stepOf } from "./step.ts";
import type { Ticket } from "./ticket.ts";
import type { TicketPlan } from "./plan.ts";
import { advice, remedy } from "./remedy.ts";

/** How a temporary failure is retried: how often, and the first wait in seconds, doubled each time. */
export interface RetryPolicy {
  readonly limit: number;
  readonly firstDelaySeconds: number;
}

/** No wait is longer than a day, however often it was doubled. */
const longestDelaySeconds = 86_400;

/** Seconds to wait after that many temporary failures in a row (1 is the first). */
export function retryDelaySeconds(
  policy: RetryPolicy,
  failures: number,
): number {
  return Math.min(
    policy.firstDelaySeconds * 2 ** (failures - 1),
    longestDelaySeconds,
  );
}

/**
 * The times between which a retry is still to be waited for, ISO 8601: one that is further away than
 * any wait can be was written by a clock that was wrong, and is due.
 */
export function notYetDue(nowMs: number): { after: string; until: string } {
  return {
    after: new Date(nowMs).toISOString(),
    until: new Date(nowMs + longestDelaySeconds * 1000).toISOString(),
  };
}

/** Whether a retry that is planned for that time (ISO 8601, null: none) may start now. */
export function isDue(retryAt: string | null, nowMs: number): boolean {
  const { after, until } = notYetDue(nowMs);
  return retryAt === null || retryAt <= after || retryAt > until;
}

/** What is left of a ticket's earlier runs, which later steps build upon. */
export interface Kept {
  /** The uploaded source packages. */
  readonly sources: boolean;
  /** The packages built from them. */
  readonly results: boolean;
  /** The image and all its layers. */
  readonly image: boolean;
}

export interface RetryPlan extends TicketPlan {
  /** The step that the ticket goes on at, once it has a PPA again; null: its retry is due at once. */
  readonly resume: WorkStepCode | null;
}

/**
 * How a ticket is tried again: a failed or cancelled one gets a PPA and goes on at the step it failed
 * at, or an earlier one; one that waits for its back-off is due at once.
 *
 * @param from the step that was asked for
 * @param obstacles why the archive or another ticket is in its way
 * @throws UbuntuCiError (2) saying why not, and what to do instead
 */
export function planRetry(
  ticket: Ticket,
  from: Step | undefined,
  kept: Kept,
  obstacles: readonly string[],
): RetryPlan {
  const { id } = ticket;
  if (ticket.step.code < 999) return planDue(ticket, from);
  if (ticket.step.code === 1000)
    throw refused(
      `ticket ${id} is complete: there is nothing to retry`,
      "a new version needs a new ticket",
    );
  if (obstacles.length > 0)
    throw refused(`ticket ${id} cannot be retried: ${obstacles.join("; ")}`);
  if (!kept.sources)
    throw refused(
      `ticket ${id} cannot be retried: its source packages are gone from the data store`,
      "upload them again, as a new ticket",
    );
  const reached = furthestStep(ticket);
  const wanted = from?.code ?? reached;
  if (wanted > reached) throw tooFar(ticket, reached, stepOf(wanted));
  const possible = !kept.results ? 200 : !kept.image ? 300 : 500;
  // A step asked for by name is refused; otherwise the ticket goes back to the step that makes what is missing.
  if (from !== undefined && wanted > possible) {
    throw refused(
      `ticket ${id} cannot go on at ${from.name}: ${possible === 200 ? "its built packages are" : "its image is"} gone from the data store`,
      remedy("retry", [id], { from: commandOf(possible) }),
    );
  }
  const resume = Math.min(wanted, possible) as WorkStepCode;
  const missing =
    resume === wanted
      ? ""
      : `, because ${possible === 200 ? "its built packages are" : "its image is"} gone`;
  return {
    resume,
    ticket: id,
    command: "retry",
    actions: [
      "queue the ticket for a PPA",
      ...(resume > 200 ? ["fill the PPA with what was built before"] : []),
      `go on at ${stepOf(resume).name} (${commandOf(resume)})${missing}`,
    ],
  };
}

/** The step that a ticket that has ended got to. */
function furthestStep(ticket: Ticket): WorkStepCode {
  const codes = [
    100,
    ticket.failure?.step.code ?? 100,
    ticket.resume_step?.code ?? 100,
  ];
  return Math.max(...codes) as WorkStepCode;
}

function planDue(ticket: Ticket, from: Step | undefined): RetryPlan {
  const { id, status, step } = ticket;
  if (status === "running")
    throw refused(`ticket ${id} is being worked on (${step.name})`);
  if (status === "held")
    throw refused(
      `ticket ${id} is held`,
      remedy("update_ticket", [id], { queue: true }),
    );
  if (ticket.retry_at === null)
    throw refused(
      `ticket ${id} has not failed: it waits at ${step.name}${ticket.waiting_for === null ? "" : ` (${ticket.waiting_for})`}`,
      advice`${remedy("explain", [id])} says for what`,
    );
  if (from !== undefined && from.code !== step.code)
    throw refused(
      `ticket ${id} is at ${step.name} and waits for its next attempt`,
      advice`${remedy("retry", [id])}, or ${remedy("cancel", [id])} first, to go back to another step`,
    );
  return {
    resume: null,
    ticket: id,
    command: "retry",
    actions: [
      `make the next attempt at ${step.name} due at once, not at ${ticket.retry_at}`,
    ],
  };
}

function tooFar(ticket: Ticket, reached: WorkStepCode, wanted: Step): Error {
  const message = `ticket ${ticket.id} ${ticket.cancelled === null ? "failed" : "was cancelled"} at ${stepOf(reached).name} (${commandOf(reached)}): it cannot go on at ${wanted.name}, which comes later`;
  const retry = remedy("retry", [ticket.id]);
  return refused(
    message,
    reached === 300 || reached === 400
      ? advice`${ignoring(ticket, "step", commandOf(reached))}, then ${retry}`
      : retry,
  );
}
