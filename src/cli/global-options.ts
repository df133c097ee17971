import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";

import { isTerminal } from "../lib/host/output.ts";
import type { GlobalOptions } from "./context.ts";

/** Adds the global options; help lists them after the command's own. */
export function addGlobalOptions(command: Command): Command {
  const terminal = isTerminal("stderr") ? 2 : 1;
  return command
    .optionsGroup("Options of every command:")
    .addOption(
      new Option(
        "-v, --verbosity <level>",
        "1 errors only, 2 what happens, 3 everything",
      )
        .argParser(parseVerbosity)
        .default(terminal, "2 on a terminal, else 1"),
    )
    .option(
      "-u, --url <url>",
      "ticket system to talk to, instead of the local state",
    )
    .option(
      "-S, --staging",
      "talk to the configured staging system (default: no)",
    )
    .option(
      "--config <file>",
      "configuration (default: STATE/config.*, then ~/.config/ubuntu-ci/, then /etc/ubuntu-ci/)",
    )
    .option(
      "--state-dir <dir>",
      "state folder (default: $UBUNTU_CI_STATE_DIR, /var/lib/ubuntu-ci, or $XDG_STATE_HOME/ubuntu-ci)",
    )
    .option("--json", "print one JSON document (default: text)")
    .option(
      "--dry-run",
      "say what would be done and change nothing (default: no)",
    );
}

/** Whether the options address a ticket system elsewhere. */
export function isRemote(options: GlobalOptions): boolean {
  return options.url !== undefined || options.staging === true;
}

function parseVerbosity(text: string): number {
  if (!/^[123]$/.test(text))
    throw new InvalidArgumentError("It must be 1, 2 or 3.");
  return Number(text);
}
