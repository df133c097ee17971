import { reasonArgument, ticketNumber } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { CancelPlan } from "../../lib/domain/cancel.ts";
import { notNow, refused } from "../../lib/domain/error.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";
import { completeStep, failedStep } from "../../lib/domain/step.ts";

/** How long to wait for a run to end: it notices within a second, but its tools take time to stop. */
const waitMs = 30_000;

export const command: Command<{ ticket: number; reason?: string }, CancelPlan> =
  {
    changes: true,
    locks: [{ name: "cancel", patient: true }],
    define: (command) =>
      command
        .argument("<ticket>", "number of the ticket", ticketNumber)
        .option(
          "--reason <text>",
          "why, for all to read (default: none)",
          reasonArgument,
        ),
    endsItself: true,
    whenInterrupted:
      "the ticket was asked to end, and will; this only no longer waits for it",
    examples: ["cancel 7", 'cancel 7 --reason "uploaded by mistake"'],
    plan: async (context, { ticket }) =>
      (await context.tickets()).planCancel(ticket),
    async run(context, { ticket: id, reason = "" }) {
      const tickets = await context.tickets();
      const plan = await tickets.cancel(id, reason === "" ? null : reason);
      for (const line of plan.actions) context.say(`ticket ${id}: ${line}`);
      return async () => {
        const ended = await tickets.awaitCancelled(id, waitMs, context.signal);
        if (ended.step.code === completeStep)
          throw refused(
            `ticket ${id} was published before it could be cancelled: archive revision ${ended.archive_revision ?? ""}`,
            advice`${remedy("archive revert")} goes back to an earlier one`,
          );
        if (ended.step.code !== failedStep)
          throw notNow(
            `ticket ${id} was asked to end and will, but still runs (${ended.step.name})`,
            advice`${remedy("status", [id])} shows when it has`,
          );
        return {
          text: `ticket ${id} was cancelled`,
          value: { plan, ticket: ended },
        };
      };
    },
  };
