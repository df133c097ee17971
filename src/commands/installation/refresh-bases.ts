import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { showPlan } from "../../cli/plan-text.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .option(
        "--series <series...>",
        "series to refresh (default: all that have a base)",
      )
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci refresh-bases\n  ubuntu-ci refresh-bases --series bookworm",
      )
      .action(async (options: { series?: string[] }) => {
        const context = await makeContext();
        const { refreshBases } = await import("../../lib/upkeep/init.ts");
        const { knownSeries } =
          await import("../../lib/tickets/known-series.ts");
        const series =
          options.series ?? knownSeries(context.paths, context.config);
        const plan = {
          command: "refresh-bases",
          actions: series.map((name) => `make a new base of ${name}`),
        };
        if (context.options.dryRun === true) {
          showPlan(context, plan);
          return;
        }
        const bases = await withCommandLock(
          context,
          "refresh-bases",
          async () => refreshBases(await context.engine(), series, context.say),
        );
        context.result(bases.join("\n"), { plan, bases });
      });
  },
};
