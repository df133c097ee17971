import { Command as Commander } from "commander";
import { expect, test } from "vitest";

import { wholeNumber } from "./arguments.ts";
import type { Command, CommandWithVerbs, NamedVerb, Verb } from "./command.ts";
import { defineCommand } from "./define-command.ts";

const single: Command = {
  examples: ["ppa 7", "ppa 8"],
  changes: false,
  define: (command) =>
    command
      .argument("<ticket>", "number of the ticket", wholeNumber)
      .argument("[name]", "a name")
      .option("--ignore-step <step>", "a step")
      .option("--wait", "wait"),
  run: () => undefined,
};

const reading = (name: string): NamedVerb => ({
  name,
  summary: name,
  changes: false,
  run: () => undefined,
});
const [list, add] = [reading("list"), reading("add")];
const withVerbs: CommandWithVerbs = {
  examples: ["ppa list", "ppa add it"],
  verbs: [
    list,
    { ...add, define: (command) => command.argument("<name>", "a name") },
  ],
};

/** What a command line comes to, or what commander says of it. */
async function asked(
  command: Command | CommandWithVerbs,
  ...words: string[]
): Promise<{ name: string; options: object } | string> {
  let seen: { name: string; options: object } | undefined;
  let said = "";
  const commander = new Commander("ppa")
    .exitOverride()
    .configureOutput({ writeErr: (text) => (said += text) });
  const act = (_verb: Verb, by: Commander, options: object) => {
    seen = { name: by.name(), options };
    return Promise.resolve();
  };
  defineCommand(commander, command, act);
  await commander
    .parseAsync(words, { from: "user" })
    .catch((thrown: unknown) => expect(thrown).toBeInstanceOf(Error));
  return seen ?? said.trim();
}

test("a verb gets its arguments and options by their names, and no others", async () => {
  expect(
    await asked(single, "7", "--ignore-step", "x", "--json", "-v", "3"),
  ).toEqual({ name: "ppa", options: { ticket: 7, ignoreStep: "x" } });
  expect(await asked(single, "7", "it", "--wait")).toEqual({
    name: "ppa",
    options: { ticket: 7, name: "it", wait: true },
  });
});

test("the first verb is what a command does when none is named", async () => {
  expect(await asked(withVerbs)).toEqual({ name: "list", options: {} });
  expect(await asked(withVerbs, "--json")).toMatchObject({ name: "list" });
  expect(await asked(withVerbs, "add", "it")).toEqual({
    name: "add",
    options: { name: "it" },
  });
});

test("a word that is no verb is refused with those that there are", async () => {
  expect(await asked(withVerbs, "foo")).toBe(
    'error: ppa has no verb "foo", only list, add',
  );
  expect(await asked(withVerbs, "--json", "foo", "bar")).toContain(
    'no verb "foo"',
  );
});

test("help ends with examples; a verb has those of its command that are its own", () => {
  const commander = new Commander("ppa").exitOverride();
  let said = "";
  commander.configureOutput({ writeOut: (text) => (said += text) });
  defineCommand(commander, withVerbs);
  commander.commands[1]?.outputHelp();
  expect(said).toMatch(
    /\n\nExamples:\n {2}ubuntu-ci ppa add it\n {2}ubuntu-ci ppa add it --json\n$/,
  );
});
