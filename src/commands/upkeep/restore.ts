import { pathArgument } from "../../cli/arguments.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument("<file>", "a file that `ubuntu-ci backup` made", pathArgument)
      .option(
        "--despite-damage",
        "also when files are missing or do not have their digest (default: no)",
      )
      .addHelpText(
        "after",
        `
Into a folder without a state, or over one in maintenance while nothing runs; the old state is set
aside in STATE/set-aside. Every file is checked against its digest before anything changes. When it
was killed, run it again. Afterwards \`ubuntu-ci init\` makes the bases anew.

Examples:
  ubuntu-ci restore /srv/backups/ci.tar.zst
  ubuntu-ci --state-dir /srv/ci restore /srv/backups/ci.tar.zst --dry-run`,
      )
      .action(async (file: string, options: { despiteDamage?: boolean }) => {
        const context = await makeContext([file]);
        const { planRestore, restore } =
          await import("../../lib/upkeep/restore/restore.ts");
        const request = {
          paths: context.paths,
          config: context.config,
          actor: context.actor,
          file,
          source: context.readable(file),
          despiteDamage: options.despiteDamage === true,
          signal: context.signal,
          say: context.say,
        };
        if (context.options.dryRun === true) {
          const plan = await planRestore(request);
          context.result(plan.steps.join("\n"), { plan });
          return;
        }
        // Retention, backups and fsck run in maintenance, too: they wait, or we do.
        const restored = await withCommandLock(
          context,
          "restore",
          () =>
            withCommandLock(
              context,
              "expire",
              async () => restore(request, await planRestore(request)),
              { patient: true, inMaintenance: true },
            ),
          { inMaintenance: true },
        );
        for (const line of restored.damaged) context.warn(line);
        const aside =
          restored.setAside === null
            ? []
            : [`the state before is in ${restored.setAside}`];
        context.result(
          [
            `restored the state of ${restored.manifest.made_at} from ${restored.file}: ${restored.artifacts} files in the data store, ${restored.damaged.length} of them damaged or missing`,
            ...aside,
            context.text(
              advice`next: ${remedy("init")} makes the bases, ${remedy("fsck")} looks at everything, ${remedy("maintenance off")} lets work start`,
            ),
          ].join("\n"),
          { restored },
        );
      });
  },
};
