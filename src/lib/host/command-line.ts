import type { Advice, Remedy } from "../domain/remedy.ts";
import { shellWord } from "../domain/shell-word.ts";

/** Options of every command that a verb has to be given to work on what this command works on. */
export type CallOptions = (verb: string) => readonly string[];

const noOptions: CallOptions = () => [];

/** A remedy as a line that a shell takes as it is. */
function commandLine(
  { program, verb, args, options }: Remedy,
  callOptions: CallOptions,
): string {
  const named = Object.entries(options).flatMap(([name, value]) => [
    `${name.length === 1 ? "-" : "--"}${name}`,
    ...(value === true ? [] : [value]),
  ]);
  const call = program === undefined ? callOptions(verb) : [];
  const words = [...args, ...named, ...call].map(shellWord);
  return [program ?? "ubuntu-ci", verb, ...words].join(" ");
}

/**
 * What to do, as text. A command inside a sentence stands in backquotes.
 *
 * @param callOptions default: none, for texts that others read later
 */
export function adviceText(
  advice: Advice,
  callOptions: CallOptions = noOptions,
): string {
  if (typeof advice === "string") return advice;
  if ("verb" in advice) return commandLine(advice, callOptions);
  return advice
    .map((part) =>
      typeof part === "string" ? part : `\`${commandLine(part, callOptions)}\``,
    )
    .join("");
}
