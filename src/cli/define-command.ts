import type { Command as Commander } from "commander";
import { Command as CommanderCommand } from "commander";

import type { Command, CommandWithVerbs, NamedVerb, Verb } from "./command.ts";
import { nearest } from "../lib/domain/nearest.ts";
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
      {
        ...verb,
        examples: verb.examples ?? ownExamples(commander, verb, examples),
      },
      act,
    );
  // commander would take an unknown word for an argument of the default verb, which has none.
  commander.hook("preSubcommand", ({ args: [word = ""] }) => {
    if (word === "" || word.startsWith("-")) return;
    if (verbs.some(({ name }) => name === word)) return;
    const names = verbs.map(({ name }) => name);
    const meant = nearest(word, names);
    commander.error(
      `error: ${commander.name()} has no verb ${JSON.stringify(word)}, only ${names.join(", ")}${meant === undefined ? "" : `\n  (Did you mean ${meant}?)`}`,
    );
  });
}

/** The command's examples of one verb; where there are fewer than two, the plainest calls of it. */
function ownExamples(
  commander: Commander,
  { name, changes, define }: NamedVerb,
  examples: readonly string[],
): readonly string[] {
  const call = `${commander.name()} ${name}`;
  const own = examples.filter(
    (example) => example === call || example.startsWith(`${call} `),
  );
  if (own.length > 1) return own;
  const tried = new CommanderCommand();
  define?.(tried);
  const words = tried.registeredArguments
    .filter(({ required }) => required)
    .map((argument) => (argument.name() === "revision" ? "6" : "NAME"));
  const plain = own[0] ?? [call, ...words].join(" ");
  return [plain, `${plain} ${changes ? "--dry-run" : "--json"}`];
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
