import { existsSync } from "node:fs";
import { join } from "node:path";

import type { Plan } from "../../lib/domain/plan.ts";
import type { Command } from "../../cli/command.ts";

export const command: Command<object, Plan> = {
  changes: true,
  locks: [{ name: "clean-ppas" }],
  examples: ["clean-ppas", "clean-ppas --dry-run"],
  async nothingToDo(context) {
    // Usually there is nothing to clean. A lock file is always examined, since its holder may be dead.
    if (existsSync(join(context.paths.run, "clean-ppas.pid"))) return undefined;
    const { toBeCleaned } = await import("../../lib/state/ppas.ts");
    const found = toBeCleaned(await context.db());
    return found.length > 0
      ? undefined
      : { value: { plan: planOf([]), cleaned: [] } };
  },
  async plan(context) {
    const { toBeCleaned } = await import("../../lib/state/ppas.ts");
    return planOf(toBeCleaned(await context.db()));
  },
  async run(context) {
    const { cleanPpas } = await import("../../lib/engine/clean-ppas.ts");
    const cleaned = await cleanPpas(await context.engine());
    return {
      text: cleaned.join("\n"),
      value: { plan: planOf(cleaned), cleaned },
    };
  },
};

function planOf(names: readonly string[]): Plan {
  return {
    command: "clean-ppas",
    actions: names.map((name) => `empty ${name}`),
  };
}
