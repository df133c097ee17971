import { pathArgument } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { BackupPlan } from "../../lib/upkeep/backup/backup.ts";
import { backUp, planBackup } from "../../lib/upkeep/backup/backup.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

export const command: Command<
  { file?: string; databaseOnly?: true },
  BackupPlan
> = {
  changes: true,
  // It does not change what maintenance protects. The lock of expire keeps files from being removed.
  inMaintenance: true,
  whenInterrupted: "no backup was made; earlier ones stay",
  locks: [{ name: "backup" }, { name: "expire", patient: true }],
  define: (command) =>
    command
      .argument(
        "[file]",
        "file to write, which must not be there (default: STATE/backups/DATE.tar.zst)",
        pathArgument,
      )
      .option(
        "--database-only",
        "the state file alone, small and quick (default: everything the state needs to come back)",
      ),
  examples: ["backup", "backup /srv/backups/ci.tar.zst"],
  notes: `The backup is consistent, whatever runs meanwhile, and it is made in maintenance, too. It holds the
state file, the signing key, the uploaders, the data store and the archive; bases are made again by
\`ubuntu-ci init\`, PPAs are filled again. It has the secret key in it: keep it as you keep that.`,
  plan: (context, { file, databaseOnly }) =>
    planBackup(context, databaseOnly === true ? "database" : "full", file),
  async run(context, _options, plan) {
    const engine = await context.engine();
    const backup = await backUp(engine, await plan(), context.signal);
    for (const name of backup.manifest.missing)
      context.warn(
        advice`${name} is not in the data store and not in the backup: ${remedy("fsck")} says more`,
      );
    for (const name of backup.damaged)
      context.warn(
        advice`${name} is damaged, in the backup too: ${remedy("fsck", [], { digests: true })} says more`,
      );
    context.say(`${backup.file}, ${backup.size} bytes`);
    return { text: backup.file, value: { backup } };
  },
};
