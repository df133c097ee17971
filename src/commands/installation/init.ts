import type { Command } from "../../cli/command.ts";
import type { InitPlan } from "../../lib/upkeep/init.ts";

export const command: Command<{ series?: readonly string[] }, InitPlan> = {
  state: "begun",
  changes: true,
  locks: [{ name: "init" }],
  define: (command) =>
    command.option(
      "--series <series...>",
      "series to make bases for (default: `series` of the configuration, else the machine's own)",
    ),
  examples: ["init", "init --series bookworm trixie"],
  async plan({ paths, config }, options) {
    const { planInit, seriesToInit } = await import("../../lib/upkeep/init.ts");
    return planInit(paths, config, seriesToInit(config, options.series));
  },
  async run(context, _options, makePlan) {
    const { initialise } = await import("../../lib/upkeep/init.ts");
    const plan = await makePlan();
    const done = await initialise(await context.engine(), plan, context.say);
    return { text: done.join("\n"), value: { plan, done } };
  },
};
