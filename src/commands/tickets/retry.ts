import type { Step } from "../../lib/domain/step.ts";
import { stepArgument, ticketNumber } from "../../cli/arguments.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument("<ticket>", "number of the ticket", ticketNumber)
      .option(
        "--from <step>",
        "the step to go on at, by code, name or command (default: the one it failed at)",
        stepArgument,
      )
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci retry 7
  ubuntu-ci retry 7 --from build-source`,
      )
      .action(async (id: number, { from }: { from?: Step }) => {
        const context = await makeContext();
        const tickets = await context.tickets();
        await tickets.get(id);
        const { planText } = await import("../../cli/plan-text.ts");
        if (context.options.dryRun === true) {
          const plan = await tickets.planRetry(id, from);
          context.result(planText(plan), { plan });
          return;
        }
        const plan = await withCommandLock(
          context,
          "retry",
          () => tickets.retry(id, from),
          { patient: true },
        );
        context.result(planText(plan), {
          plan,
          ticket: await tickets.get(id),
        });
      });
  },
};
