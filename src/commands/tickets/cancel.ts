import { reasonArgument, ticketNumber } from "../../cli/arguments.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { showPlan } from "../../cli/plan-text.ts";
import { completeStep, failedStep } from "../../lib/domain/step.ts";

/** How long to wait for a run to end. It is asked within a second; the rest is its tools' ending. */
const waitMs = 30_000;

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument("<ticket>", "number of the ticket", ticketNumber)
      .option(
        "--reason <text>",
        "why, for all to read (default: none)",
        reasonArgument,
      )
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci cancel 7
  ubuntu-ci cancel 7 --reason "uploaded by mistake"`,
      )
      .action(async (id: number, { reason }: { reason?: string }) => {
        const said = reason ?? "";
        const context = await makeContext();
        const tickets = await context.tickets();
        await tickets.get(id);
        if (context.options.dryRun === true) {
          showPlan(context, await tickets.planCancel(id));
          return;
        }
        const plan = await withCommandLock(
          context,
          "cancel",
          () => tickets.cancel(id, said === "" ? null : said),
          { patient: true },
        );
        for (const line of plan.actions) context.say(`ticket ${id}: ${line}`);
        const { signal } = context;
        const ended = await tickets.awaitCancelled(id, waitMs, signal);
        const { notNow, refused } = await import("../../lib/domain/error.ts");
        if (ended.step.code === completeStep)
          throw refused(
            `ticket ${id} was published before it could be cancelled: archive revision ${ended.archive_revision ?? ""}`,
            "`ubuntu-ci archive revert` goes back to an earlier one",
          );
        if (ended.step.code !== failedStep)
          throw notNow(
            `ticket ${id} was asked to end and will, but still runs (${ended.step.name})`,
            `\`ubuntu-ci status ${id}\` shows when it has`,
          );
        context.result(`ticket ${id} was cancelled`, { plan, ticket: ended });
      });
  },
};
