import { Command as Commander } from "commander";

import type { Verb } from "../../src/cli/command.ts";
import { defineCommand } from "../../src/cli/define-command.ts";
import { commands } from "../../src/commands/index.ts";

/** A command, or a verb of one, and how its options look. */
export interface KnownVerb {
  /** How it is called: `["ppa", "add"]`. */
  readonly words: readonly string[];
  readonly verb: Verb;
  readonly commander: Commander;
}

/** Everything that the program can be asked to do. */
export async function everyVerb(): Promise<KnownVerb[]> {
  const found: KnownVerb[] = [];
  for (const [name, { load }] of Object.entries(commands)) {
    const { command } = await load();
    const commander = new Commander(name);
    defineCommand(commander, command);
    if (!("verbs" in command))
      found.push({ words: [name], verb: command, commander });
    else
      for (const [index, verb] of command.verbs.entries())
        found.push({
          words: [name, verb.name],
          verb,
          commander: commander.commands[index] ?? commander,
        });
  }
  return found;
}

/** The shortest line that calls it. */
export function shortestLine(
  { words, commander }: KnownVerb,
  valueOf: (name: string) => string,
): string[] {
  return [
    ...words,
    ...commander.registeredArguments
      .filter(({ required }) => required)
      .map((argument) => valueOf(argument.name())),
    ...commander.options
      .filter(({ mandatory }) => mandatory)
      .flatMap((option) => [
        option.long ?? "",
        valueOf(option.attributeName()),
      ]),
  ];
}
