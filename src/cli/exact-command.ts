import type { Explanation } from "../lib/domain/explain/explanation.ts";
import { shellWord } from "../lib/domain/shell-word.ts";
import { pathArgument } from "./arguments.ts";
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
    ...(stateDir === undefined ? [] : ["--state-dir", pathArgument(stateDir)]),
    ...(config === undefined ? [] : ["--config", pathArgument(config)]),
  ];
  return [command, ...given.map(shellWord)].join(" ");
}
