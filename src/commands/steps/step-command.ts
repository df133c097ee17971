import type { StepCommand } from "../../lib/domain/step.ts";
import { stepCommands } from "../../lib/domain/step.ts";
import { ticketNumber } from "../../cli/arguments.ts";
import type { CommandModule } from "../../cli/command.ts";

/** The command of one step: works on one ticket at it, and exits. */
export function stepCommand(name: StepCommand): CommandModule {
  const entry = stepCommands.find(({ command }) => command === name);
  if (entry === undefined) throw new RangeError(name);
  return {
    define(command, makeContext) {
      command
        .option(
          "--ticket <number>",
          "work on this ticket alone (default: the oldest ready one)",
          ticketNumber,
        )
        .addHelpText(
          "after",
          `\nExamples:\n  ubuntu-ci ${name}\n  ubuntu-ci ${name} --ticket 7 -v 3`,
        )
        .action(async (options: { ticket?: number }) => {
          const context = await makeContext();
          const { mayHaveWork } = await import("./may-have-work.ts");
          if (!(await mayHaveWork(context, [entry.code], options.ticket))) {
            context.say(`${name}: nothing to do`);
            context.result("", { plan: null, runs: [] });
            return;
          }
          const { workOnStep } = await import("./step-work.ts");
          if (context.options.dryRun === true)
            await workOnStep(context, entry.code, options.ticket);
          else {
            const { withCommandLock } =
              await import("../../cli/with-command-lock.ts");
            await withCommandLock(
              context,
              name,
              () => workOnStep(context, entry.code, options.ticket),
              { slots: context.config.get("concurrency") },
            );
          }
        });
    },
  };
}
