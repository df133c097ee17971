import type { Command } from "../../cli/command.ts";
import type { Plan } from "../../lib/domain/plan.ts";

interface RefreshPlan extends Plan {
  readonly series: readonly string[];
}

export const command: Command<{ series?: readonly string[] }, RefreshPlan> = {
  changes: true,
  locks: [{ name: "refresh-bases" }],
  define: (command) =>
    command.option(
      "--series <series...>",
      "series to refresh (default: all that have a base)",
    ),
  examples: ["refresh-bases", "refresh-bases --series bookworm"],
  async plan({ paths, config }, options) {
    const { knownSeries } = await import("../../lib/tickets/known-series.ts");
    const series = options.series ?? knownSeries(paths, config);
    return {
      command: "refresh-bases",
      actions: series.map((name) => `make a new base of ${name}`),
      series,
    };
  },
  async run(context, _options, makePlan) {
    const { refreshBases } = await import("../../lib/upkeep/init.ts");
    const plan = await makePlan();
    const engine = await context.engine();
    const bases = await refreshBases(engine, plan.series, context.say);
    return { text: bases.join("\n"), value: { plan, bases } };
  },
};
