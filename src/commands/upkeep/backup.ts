import { pathArgument } from "../../cli/arguments.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument(
        "[file]",
        "file to write, which must not be there (default: STATE/backups/DATE.tar.zst)",
        pathArgument,
      )
      .option(
        "--database-only",
        "the state file alone, small and quick (default: everything the state needs to come back)",
      )
      .addHelpText(
        "after",
        `
The backup is consistent, whatever runs meanwhile, and it is made in maintenance, too. It holds the
state file, the signing key, the uploaders, the data store and the archive; bases are made again by
\`ubuntu-ci init\`, PPAs are filled again. It has the secret key in it: keep it as you keep that.

Examples:
  ubuntu-ci backup
  ubuntu-ci backup /srv/backups/ci.tar.zst`,
      )
      .action(
        async (
          named: string | undefined,
          options: { databaseOnly?: boolean },
        ) => {
          const context = await makeContext();
          const { backUp, planBackup } =
            await import("../../lib/upkeep/backup/backup.ts");
          const kind = options.databaseOnly === true ? "database" : "full";
          const plan = planBackup(context, kind, named);
          if (context.options.dryRun === true) {
            const lines = [`write ${plan.file}`, ...plan.contents];
            context.result(lines.join("\n"), { plan });
            return;
          }
          const make = async () =>
            backUp(await context.engine(), plan, context.signal);
          // Retention is the only other one that removes files; it waits, or we do.
          const backup = await withCommandLock(
            context,
            "backup",
            () =>
              withCommandLock(context, "expire", make, {
                patient: true,
                inMaintenance: true,
              }),
            { inMaintenance: true },
          );
          for (const name of backup.manifest.missing)
            context.warn(
              advice`${name} is not in the data store and not in the backup: ${remedy("fsck")} says more`,
            );
          for (const name of backup.damaged)
            context.warn(
              advice`${name} is damaged, in the backup too: ${remedy("fsck", [], { digests: true })} says more`,
            );
          context.say(`${backup.file}, ${backup.size} bytes`);
          context.result(backup.file, { backup });
        },
      );
  },
};
