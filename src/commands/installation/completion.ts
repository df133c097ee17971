import type { Argument as CommanderArgument } from "commander";
import { Argument, Command as Commander, Option } from "commander";

import type { CompletedCommand, Value } from "../../cli/completion.ts";
import { completionScript, shells } from "../../cli/completion.ts";
import type { Command } from "../../cli/command.ts";
import { defineCommand } from "../../cli/define-command.ts";
import { addGlobalOptions } from "../../cli/global-options.ts";
import { settings } from "../../lib/config/settings.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";
import { stepCommands, steps } from "../../lib/domain/step.ts";
import { commands, otherSpelling } from "../index.ts";
import { kindsOfState, valuesOfState } from "./values-of-state.ts";

export const command: Command<{
  shell: (typeof shells)[number];
  values?: (typeof kindsOfState)[number];
}> = {
  state: "none",
  staysCaller: true,
  changes: false,
  define: (command) =>
    command
      .addArgument(new Argument("<shell>", "whose script").choices(shells))
      .addOption(
        new Option(
          "--values <kind>",
          "what the state has of a kind, one a line, as the script asks for it (default: the script)",
        ).choices(kindsOfState),
      ),
  examples: [
    "completion bash > /etc/bash_completion.d/ubuntu-ci",
    "completion fish > ~/.config/fish/completions/ubuntu-ci.fish",
    "completion zsh > /usr/local/share/zsh/site-functions/_ubuntu-ci",
  ],
  async run({ paths }, { shell, values: kind }) {
    if (kind !== undefined) {
      const values = valuesOfState(paths, kind);
      return { text: textOfLines(values), value: { kind, values } };
    }
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
              option.long ?? "",
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
    : valueOf(argument.name(), argument.argChoices, argument.description);
}

const stepCodes = steps.map(({ code }) => String(code));
const stepNames = stepCommands.map(({ command }) => command);

/**
 * What kind of value an argument takes, judged by its choices, or by its name in help.
 *
 * @param of its option, or what help says of it
 */
function valueOf(
  name: string,
  choices: readonly string[] | undefined,
  of: string,
): Value {
  if (choices !== undefined) return choices;
  if (name === "ticket" || of === "--ticket") return { ask: "tickets" };
  if (name === "revision") return { ask: "revisions" };
  if (name === "fingerprint") return { ask: "uploaders" };
  if (of.includes("name of a PPA")) return { ask: "ppas" };
  if (name === "step")
    return of === "--step" ? [...stepNames, ...stepCodes] : stepNames;
  if (name === "key") return settings.map(({ key }) => key);
  if (/file|path|changes|what/i.test(name)) return "file";
  return /dir|folder/i.test(name) ? "folder" : "text";
}
