import type { Command as Commander } from "commander";

import type { Command, CommandWithVerbs, Verb } from "./command.ts";
import { addGlobalOptions } from "./global-options.ts";

export type Act = (
  verb: Verb,
  commander: Commander,
  options: object,
) => Promise<void>;

/**
 * Configures a commander command: description, arguments and the global options. Without `act` it is
 * only described, not run.
 */
export function defineCommand(
  commander: Commander,
  command: Command | CommandWithVerbs,
  act?: Act,
): void {
  if ("verbs" in command) defineVerbs(commander, command, act);
  else defineVerb(commander, command, act);
  for (const one of [commander, ...commander.commands])
    addGlobalOptions(one).helpOption("-h, --help", "show this help");
}

function defineVerbs(
  commander: Commander,
  { examples, verbs }: CommandWithVerbs,
  act: Act | undefined,
): void {
  addExamples(commander, examples);
  const [byDefault] = verbs;
  for (const verb of verbs)
    defineVerb(
      commander
        .command(verb.name, { isDefault: verb === byDefault })
        .description(verb.summary),
      { examples, ...verb },
      act,
    );
  // commander would take an unknown word for an argument of the default verb, which has none.
  commander.hook("preSubcommand", ({ args: [word = ""] }) => {
    if (word === "" || word.startsWith("-")) return;
    if (verbs.some(({ name }) => name === word)) return;
    const names = verbs.map(({ name }) => name).join(", ");
    commander.error(
      `error: ${commander.name()} has no verb ${JSON.stringify(word)}, only ${names}`,
    );
  });
}

function defineVerb(
  commander: Commander,
  verb: Verb,
  act: Act | undefined,
): void {
  verb.define?.(commander);
  addExamples(commander, verb.examples, verb.notes);
  const own = commander.options.map((option) => option.attributeName());
  if (act === undefined) return;
  commander.action(() => {
    const options = commander.opts();
    const given = [
      ...commander.registeredArguments.map((argument, index) => [
        argument.name(),
        commander.processedArgs[index] as unknown,
      ]),
      ...own.map((name) => [name, options[name] as unknown]),
    ].filter(([, value]) => value !== undefined);
    return act(
      verb,
      commander,
      Object.fromEntries(given) as Record<string, unknown>,
    );
  });
}

function addExamples(
  commander: Commander,
  examples: readonly string[] = [],
  notes?: string,
): void {
  const above = notes === undefined ? "" : `\n${notes}\n`;
  const lines = examples.map((example) => `  ubuntu-ci ${example}`).join("\n");
  commander.addHelpText("after", `${above}\nExamples:\n${lines}`);
}
