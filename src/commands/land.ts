import type { Step } from "../lib/domain/step.ts";
import { stepCommands } from "../lib/domain/step.ts";
import { stepArgument, ticketNumber } from "./arguments.ts";
import { changing } from "./changing.ts";
import type { CommandModule } from "./index.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .option(
        "--ticket <number>",
        "land this ticket alone (default: every ready one, one after another)",
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
        const { hasWork } = await import("./step-work.ts");
        const work = await Promise.all(
          stepCommands.map(({ code }) =>
            hasWork(context, code, options.ticket),
          ),
        );
        if (!work.includes(true)) {
          context.say("land: nothing to do");
          context.result("", { runs: [] });
          return;
        }
        const { landTickets, planLanding } = await import("./land-work.ts");
        if (context.options.dryRun === true)
          await planLanding(context, options);
        else
          await changing(context, "land", () => landTickets(context, options));
      });
  },
};
