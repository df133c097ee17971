import { existsSync } from "node:fs";
import { join } from "node:path";

import type { Plan } from "../../lib/domain/plan.ts";
import type { CommandModule } from "../../cli/command.ts";
import { showPlan } from "../../cli/plan-text.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci clean-ppas\n  ubuntu-ci clean-ppas --dry-run",
      )
      .action(async () => {
        const context = await makeContext();
        const { openDatabase } = await import("../../lib/state/database.ts");
        const { toBeCleaned } = await import("../../lib/state/ppas.ts");
        const db = openDatabase(context.paths.database);
        const found = toBeCleaned(db);
        if (context.options.dryRun === true) {
          showPlan(context, planOf(found));
          return;
        }
        // Most passes find nothing. A lock that is there is looked at all the same: whose it is.
        const lock = join(context.paths.run, "clean-ppas.pid");
        if (found.length === 0 && !existsSync(lock)) {
          context.result("", { plan: planOf([]), cleaned: [] });
          return;
        }
        const { withCommandLock } =
          await import("../../cli/with-command-lock.ts");
        const cleaned = await withCommandLock(
          context,
          "clean-ppas",
          async () => {
            const { cleanPpas } =
              await import("../../lib/engine/clean-ppas.ts");
            return cleanPpas({
              db,
              actor: context.actor,
              paths: context.paths,
              backends: context.backends(),
            });
          },
        );
        context.result(cleaned.join("\n"), { plan: planOf(cleaned), cleaned });
      });
  },
};

function planOf(names: readonly string[]): Plan {
  return {
    command: "clean-ppas",
    actions: names.map((name) => `empty ${name}`),
  };
}
