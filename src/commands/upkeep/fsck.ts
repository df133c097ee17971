import { textOfLines } from "../../lib/domain/shown-text.ts";
import { ExitCode } from "../../lib/domain/error.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .option("--mend", "put right what is safe to put right (default: no)")
      .option(
        "--digests",
        "read every file and check its digest (default: its size)",
      )
      .addHelpText(
        "after",
        `
Exits with 0 when all is well or was mended, with 75 when --mend would mend all that is wrong, with 1
when something is left that needs a person. It can run at any time, beside all other commands.

Examples:
  ubuntu-ci fsck --digests
  ubuntu-ci fsck --mend`,
      )
      .action(async (options: { mend?: boolean; digests?: boolean }) => {
        const context = await makeContext();
        const { existsSync } = await import("node:fs");
        const { refused } = await import("../../lib/domain/error.ts");
        const { inspectFile } = await import("../../lib/state/snapshot.ts");
        const { damagedState, fsck } =
          await import("../../lib/upkeep/fsck/fsck.ts");
        const { database } = context.paths;
        if (!existsSync(database))
          throw refused(
            `there is no state in ${context.paths.root}`,
            advice`${remedy("init")} makes one; ${remedy("restore", ["FILE"])} goes on with a restore that was ended`,
          );
        const mend = options.mend === true && context.options.dryRun !== true;
        const look = async () =>
          fsck(await context.engine(), {
            mend,
            digests: options.digests === true,
          });
        // A damaged file cannot be opened as a state at all.
        const damage = inspectFile(database);
        const found =
          damage.length > 0
            ? damage.map((what) => damagedState(context, what))
            : mend
              ? await withCommandLock(context, "fsck", () =>
                  withCommandLock(context, "expire", look, { patient: true }),
                )
              : await look();
        const findings = found.map((one) => ({
          ...one,
          remedy: context.text(one.remedy),
        }));
        const lines = findings.flatMap(
          ({ check, what, where, remedy, mended }) => [
            `${mended ? "mended" : "WRONG "}  ${check}: ${where}: ${what}`,
            ...(mended ? [] : [`        ${remedy}`]),
          ],
        );
        const left = findings.filter(({ mended }) => !mended);
        context.result(textOfLines(lines) || "all is well", {
          ok: left.length === 0,
          findings,
        });
        if (left.length > 0)
          context.exit(
            left.every(({ mendable }) => mendable)
              ? ExitCode.notNow
              : ExitCode.ticketFailed,
          );
      });
  },
};
