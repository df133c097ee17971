import { textOfLines } from "../../lib/domain/shown-text.ts";
import { refused } from "../../lib/domain/error.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { showPlan } from "../../cli/plan-text.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command.addHelpText(
      "afterAll",
      "\nExamples:\n  ubuntu-ci ppa list\n  ubuntu-ci ppa add ci_pool-005\n  ubuntu-ci ppa populate",
    );
    const open = async () => {
      const context = await makeContext();
      const { openDatabase } = await import("../../lib/state/database.ts");
      return {
        context,
        db: openDatabase(context.paths.database),
        pool: await import("../../lib/state/ppas.ts"),
      };
    };
    command
      .command("list", { isDefault: true })
      .description("the PPAs of the pool and their states")
      .action(async () => {
        const { context, db, pool } = await open();
        const ppas = pool.listPpas(db);
        const lines = ppas.map(
          ({ name, state, ticket, since }) =>
            `${name}  ${state}${ticket === null ? "" : `  ticket ${ticket}`}  since ${since}`,
        );
        context.result(textOfLines(lines) || "the pool is empty", { ppas });
      });
    command
      .command("add")
      .description("add a PPA to the pool")
      .argument("<name>", "name of the PPA")
      .action(async (name: string) => {
        if (!/^[a-z0-9][a-z0-9+._-]{1,62}$/.test(name))
          throw refused(
            `${JSON.stringify(name)} is not the name of a PPA`,
            "lower-case letters, digits, + . _ -",
          );
        const { context, db, pool } = await open();
        await addAll(context, db, pool, [name]);
      });
    command
      .command("populate")
      .description("fill the pool up to `ppa.pool` PPAs")
      .action(async () => {
        const { context, db, pool } = await open();
        const { poolNames } = await import("../../lib/upkeep/init.ts");
        await addAll(context, db, pool, poolNames(context.config));
      });
    type Opened = Awaited<ReturnType<typeof open>>;
    const addAll = async (
      context: Opened["context"],
      db: Opened["db"],
      pool: Opened["pool"],
      names: readonly string[],
    ) => {
      const missing = names.filter(
        (name) => !pool.listPpas(db).some((ppa) => ppa.name === name),
      );
      const plan = {
        command: "ppa",
        actions: missing.map((name) => `add ${name}`),
      };
      if (context.options.dryRun === true) {
        showPlan(context, plan);
        return;
      }
      await withCommandLock(context, "ppa", async () => {
        for (const name of missing) pool.addPpa(db, name, context.actor);
        const { cleanPpas } = await import("../../lib/engine/clean-ppas.ts");
        await cleanPpas({
          db,
          actor: context.actor,
          paths: context.paths,
          backends: context.backends(),
        });
      });
      context.result(missing.join("\n"), { plan, added: missing });
    };
  },
};
