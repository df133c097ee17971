import type { Argument as CommanderArgument } from "commander";
import { Argument, Command as Commander } from "commander";

import type { CompletedCommand, Value } from "../../cli/completion.ts";
import { completionScript, shells } from "../../cli/completion.ts";
import type { Command } from "../../cli/command.ts";
import { defineCommand } from "../../cli/define-command.ts";
import { addGlobalOptions } from "../../cli/global-options.ts";
import { commands, otherSpelling } from "../index.ts";

export const command: Command<{ shell: (typeof shells)[number] }> = {
  state: "none",
  staysCaller: true,
  changes: false,
  define: (command) =>
    command.addArgument(
      new Argument("<shell>", "whose script").choices(shells),
    ),
  examples: [
    "completion bash > /etc/bash_completion.d/ubuntu-ci",
    "completion fish > ~/.config/fish/completions/ubuntu-ci.fish",
    "completion zsh > /usr/local/share/zsh/site-functions/_ubuntu-ci",
  ],
  async run(_context, { shell }) {
    const script = completionScript(shell, await wholeProgram());
    return { text: script.trimEnd(), value: { shell, script } };
  },
};

/** The definitions of all commands. */
async function wholeProgram(): Promise<CompletedCommand> {
  const program = addGlobalOptions(new Commander("ubuntu-ci"));
  const verbs = await Promise.all(
    Object.entries(commands).map(async ([name, entry]) => {
      const command = new Commander(name).description(entry.summary);
      defineCommand(command, (await entry.load()).command);
      const other = otherSpelling(name);
      return completed(command, other === name ? [] : [other]);
    }),
  );
  return { ...completed(program, []), verbs };
}

function completed(
  command: Commander,
  others: readonly string[],
): CompletedCommand {
  return {
    names: [command.name(), ...others],
    summary: command.description(),
    options: [
      ...command.options.map((option) => ({
        names: [option.short, option.long].filter((name) => name != null),
        summary: option.description,
        value: option.isBoolean()
          ? null
          : valueOf(
              /[<[]([^>\]]*)/.exec(option.flags)?.[1] ?? "",
              option.argChoices,
            ),
      })),
      { names: ["-h", "--help"], summary: "show this help", value: null },
    ],
    argument: argumentOf(command.registeredArguments[0]),
    verbs: command.commands.map((verb) => completed(verb, [])),
  };
}

function argumentOf(argument: CommanderArgument | undefined): Value {
  return argument === undefined
    ? null
    : valueOf(argument.name(), argument.argChoices);
}

/** What kind of value an argument takes, judged by its choices or its name in help. */
function valueOf(name: string, choices: readonly string[] | undefined): Value {
  if (choices !== undefined) return choices;
  if (/file|path|changes|what/i.test(name)) return "file";
  return /dir|folder/i.test(name) ? "folder" : "text";
}
