import { pathArgument } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import type {
  RestorePlan,
  RestoreRequest,
} from "../../lib/upkeep/restore/restore.ts";
import { planRestore, restore } from "../../lib/upkeep/restore/restore.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

interface Options {
  readonly file: string;
  readonly despiteDamage?: boolean;
}

export const command: Command<Options, RestorePlan> = {
  state: "restored",
  changes: true,
  endsItself: true,
  whenInterrupted:
    "all is as it was, unless the restored state is in its place already",
  // A state is only replaced in maintenance. The locks keep out what else runs in maintenance.
  inMaintenance: true,
  locks: [{ name: "restore" }, { name: "expire", patient: true }],
  define: (command) =>
    command
      .argument("<file>", "a file that `ubuntu-ci backup` made", pathArgument)
      .option(
        "--despite-damage",
        "also when files are missing or do not have their digest (default: no)",
      ),
  examples: [
    "restore /srv/backups/ci.tar.zst",
    "--state-dir /srv/ci restore /srv/backups/ci.tar.zst --dry-run",
  ],
  notes: `Into a folder without a state, or over one in maintenance while nothing runs; the old state is set
aside in STATE/set-aside. Every file is checked against its digest before anything changes. When it
was killed, run it again. Afterwards \`ubuntu-ci init\` makes the bases anew.`,
  reads: ({ file }) => [file],
  plan: (context, options) => planRestore(requestOf(context, options)),
  async run(context, options, plan) {
    const request = requestOf(context, options);
    const restored = await restore(request, await plan());
    for (const line of restored.damaged.slice(0, mostNamed)) context.warn(line);
    const more = restored.damaged.length - mostNamed;
    if (more > 0)
      context.warn(
        advice`${more} more files are damaged or missing: ${remedy("fsck")} names them`,
      );
    const aside =
      restored.setAside === null
        ? []
        : [`the state before is in ${restored.setAside}`];
    return {
      text: [
        `restored the state of ${restored.manifest.made_at} from ${restored.file}: ${restored.artifacts} files in the data store, ${restored.damaged.length} of them damaged or missing`,
        ...aside,
        context.text(
          advice`next: ${remedy("init")} makes the bases, ${remedy("fsck")} looks at everything, ${remedy("maintenance off")} lets work start`,
        ),
      ].join("\n"),
      value: { restored },
    };
  },
};

/** A backup of the database alone has no file: naming each one helps nobody. */
const mostNamed = 5;

function requestOf(
  context: CommandContext,
  { file, despiteDamage = false }: Options,
): RestoreRequest {
  return { ...context, file, source: context.readable(file), despiteDamage };
}
