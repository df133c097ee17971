import { changing } from "./changing.ts";
import type { CommandModule } from "./index.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci clean-ppas\n  ubuntu-ci clean-ppas --dry-run",
      )
      .action(async () => {
        const context = await makeContext();
        const { openDatabase } = await import("../lib/state/database.ts");
        const { listPpas } = await import("../lib/state/ppas.ts");
        const db = openDatabase(context.paths.database);
        if (context.options.dryRun === true) {
          const names = listPpas(db)
            .filter(({ state }) => state === "dirty" || state === "cleaning")
            .map(({ name }) => name);
          context.result(
            names.map((name) => `empty ${name}`).join("\n") || "nothing to do",
            { clean: names },
          );
          return;
        }
        const cleaned = await changing(context, "clean-ppas", async () => {
          const { cleanPpas } = await import("../lib/engine/clean-ppas.ts");
          return cleanPpas({
            db,
            actor: context.actor,
            paths: context.paths,
            backends: context.backends(),
          });
        });
        context.result(cleaned.join("\n"), { cleaned });
      });
  },
};
