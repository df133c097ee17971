import { resolve } from "node:path";

import type { Explanation } from "../lib/domain/explain/finding.ts";
import type { GlobalOptions } from "./context.ts";

/**
 * An explanation whose commands can be run as they are, from any folder: with the state folder and
 * the configuration that this command was given.
 */
export function withExactCommands(
  explanation: Explanation,
  options: Pick<GlobalOptions, "stateDir" | "config">,
): Explanation {
  const exact = (command: string) => exactCommand(command, options);
  const { unblock, commands } = explanation;
  return {
    ...explanation,
    unblock: unblock === null ? null : exact(unblock),
    commands: commands.map((way) => ({ ...way, command: exact(way.command) })),
  };
}

function exactCommand(
  command: string,
  { stateDir, config }: Pick<GlobalOptions, "stateDir" | "config">,
): string {
  if (!command.startsWith("ubuntu-ci ")) return command;
  const given = [
    ...(stateDir === undefined ? [] : ["--state-dir", resolve(stateDir)]),
    ...(config === undefined ? [] : ["--config", resolve(config)]),
  ];
  return [command, ...given.map(inShell)].join(" ");
}

/** A word as a shell takes it, quoted only where it has to be. */
function inShell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word)
    ? word
    : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
