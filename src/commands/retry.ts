import type { Step } from "../lib/domain/step.ts";
import { stepArgument, ticketNumber } from "./arguments.ts";
import { changing } from "./changing.ts";
import type { CommandModule } from "./command.ts";

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
        await (await context.tickets()).get(id);
        const { planRetryOf, retry } = await import("../lib/engine/retry.ts");
        const { planText } = await import("./plan-text.ts");
        const engine = await context.engine();
        if (context.options.dryRun === true) {
          const plan = await planRetryOf(engine, id, from);
          context.result(planText(plan), { plan });
          return;
        }
        const plan = await changing(
          context,
          "retry",
          () => retry(engine, id, from),
          { patient: true },
        );
        context.result(planText(plan), {
          plan,
          ticket: await (await context.tickets()).get(id),
        });
      });
  },
};
