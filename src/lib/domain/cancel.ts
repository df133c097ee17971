import { refused } from "./error.ts";
import { completeStep, failedStep, workStep } from "./step.ts";
import type { Cancellation, Ticket } from "./ticket.ts";
import type { TicketPlan } from "./plan.ts";
import { advice, remedy } from "./remedy.ts";

export interface CancelPlan extends TicketPlan {
  /** `end`: nothing works on the ticket, which ends at once; `ask`: its run has to end first. */
  readonly kind: "end" | "ask";
}

/** A cancellation in words: by whom, and why if a reason was given. */
export function cancelledInWords({ by, reason }: Cancellation): string {
  return `cancelled by ${by}${reason === null ? "" : `: ${reason}`}`;
}

/**
 * Plans what cancelling does to a ticket.
 *
 * @throws UbuntuCiError (2) when the ticket has ended
 */
export function planCancel(ticket: Ticket): CancelPlan {
  const { id, cancelled, failure } = ticket;
  if (ticket.step.code === completeStep) {
    throw refused(
      `ticket ${id} is complete: it cannot be cancelled any more`,
      ticket.archive_revision === null || ticket.undone_by !== null
        ? undefined
        : advice`it is archive revision ${ticket.archive_revision}; ${remedy("archive revert")} goes back to an earlier one`,
    );
  }
  if (ticket.step.code === failedStep) {
    throw refused(
      cancelled !== null
        ? `ticket ${id} has ended already: ${cancelledInWords(cancelled)}, at ${cancelled.at}`
        : `ticket ${id} has ended already: it failed${failure === null ? "" : ` at ${failure.step.name}`}`,
      advice`${remedy("retry", [id])} would start it again`,
    );
  }
  const release =
    ticket.ppa === null ? [] : [`give back ${ticket.ppa}, to be emptied`];
  // Only the archive knows whether a publication succeeded: the publish step has to check.
  const step = workStep(ticket.step.code);
  if (ticket.status === "running" || step?.publishes === true) {
    return {
      kind: "ask",
      ticket: id,
      command: "cancel",
      actions: [
        ...(ticket.status === "running"
          ? [
              `ask the process that works on it (${ticket.step.name}) to end it, with all that it started`,
            ]
          : ["look whether the archive has it already"]),
        "end the ticket as cancelled",
        ...release,
      ],
    };
  }
  return {
    kind: "end",
    ticket: id,
    command: "cancel",
    actions: [
      `end the ticket, which is ${ticket.pending === null ? ticket.status : "pending"}`,
      ...(ticket.pending === null
        ? []
        : [`cancel job ${ticket.pending.job} of ${ticket.pending.of}`]),
      ...release,
    ],
  };
}
