import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { showPlan } from "../../cli/plan-text.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .option(
        "--series <series...>",
        "series to make bases for (default: `series` of the configuration, else the machine's own)",
      )
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci init\n  ubuntu-ci init --series bookworm trixie",
      )
      .action(async (options: { series?: string[] }) => {
        const context = await makeContext();
        const { initialise, planInit, seriesToInit } =
          await import("../../lib/upkeep/init.ts");
        const series = seriesToInit(context.config, options.series);
        const plan = planInit(context.paths, context.config, series);
        if (context.options.dryRun === true) {
          showPlan(context, plan);
          return;
        }
        const done = await withCommandLock(context, "init", async () =>
          initialise(await context.engine(), plan, context.say),
        );
        context.result(done.join("\n"), { plan, done });
      });
  },
};
