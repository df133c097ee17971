import type { Step } from "../../lib/domain/step.ts";
import { stepCommands } from "../../lib/domain/step.ts";
import { stepArgument, ticketNumber } from "../../cli/arguments.ts";
import type { CommandModule } from "../../cli/command.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .option(
        "--ticket <number>",
        "land this ticket alone (default: every ready one, `concurrency` at a time)",
        ticketNumber,
      )
      .option(
        "--until <step>",
        "the last step to run, by code, name or command (default: publish)",
        stepArgument,
      )
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci land
  ubuntu-ci land --ticket 7 --until run-tests`,
      )
      .action(async (options: { ticket?: number; until?: Step }) => {
        const context = await makeContext();
        const { mayHaveWork } = await import("./may-have-work.ts");
        const steps = stepCommands.map(({ code }) => code);
        if (!(await mayHaveWork(context, steps, options.ticket))) {
          context.say("land: nothing to do");
          context.result("", { plans: [], runs: [] });
          return;
        }
        const { landTickets, planLanding } = await import("./land-work.ts");
        if (context.options.dryRun === true)
          await planLanding(context, options);
        else {
          const { withCommandLock } =
            await import("../../cli/with-command-lock.ts");
          await withCommandLock(
            context,
            "land",
            () => landTickets(context, options),
            {
              slots: context.config.get("concurrency"),
            },
          );
        }
      });
  },
};
