import { Argument } from "commander";

import { pathArgument } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import { ExitCode, refused } from "../../lib/domain/error.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";

/** How many faults are listed as text; --json has all. */
const shown = 50;

export const command: Command<{ dir: string; key?: string }> = {
  state: "none",
  staysCaller: true,
  changes: false,
  define: (command) =>
    command
      .addArgument(
        new Argument("<dir>", "a copy of a report").argParser(pathArgument),
      )
      .option(
        "--key <file>",
        "the archive's public key, or the apt source with it, as you trust it (required)",
        pathArgument,
      ),
  check({ key }) {
    if (key === undefined)
      throw refused(
        "--key FILE is missing: the public key of the archive, from where you trust it; a key in the report proves nothing",
      );
  },
  examples: [
    "verify-report /srv/www/ci --key /etc/apt/sources.list.d/ubuntu-ci.sources",
    "verify-report ./copy --key ci.asc --json",
  ],
  notes:
    "Exits with 0 when every file is as it was signed, and with 1 when one is not, is missing, or is in no list.",
  async run({ signal }, { dir, key = "" }) {
    const { verifyReport } = await import("../../lib/report/verify.ts");
    const found = await verifyReport(dir, key, signal);
    const { signed, files, faults } = found;
    const more = faults.length - shown;
    const by =
      signed === null
        ? "not signed by the given keys"
        : `signed ${signed.at} by ${signed.by.join(" and ")}`;
    return {
      text: textOfLines([
        ...faults
          .slice(0, shown)
          .map(({ path, what }) => `WRONG  ${path} ${what}`),
        ...(more > 0 ? [`       and ${more} more`] : []),
        `${faults.length === 0 ? "all is well" : `${faults.length} wrong`}: ${files} files, ${by}`,
      ]),
      value: { ok: faults.length === 0, ...found },
      exitCode: faults.length === 0 ? ExitCode.ok : ExitCode.ticketFailed,
    };
  },
};
