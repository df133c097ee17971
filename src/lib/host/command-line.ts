import type { Advice, Remedy } from "../domain/remedy.ts";
import { shellWord } from "../domain/shell-word.ts";

/**
 * The global options (`-u`, `-S`, `--state-dir`, `--config`) that a suggested command needs, so that it
 * works on the same installation or ticket system as this one.
 */
export type CallOptions = (verb: string) => readonly string[];

const noOptions: CallOptions = () => [];

/** A remedy as a command line, quoted for a shell. */
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
 * Advice as text. Commands inside a sentence are put in backquotes.
 *
 * @param callOptions none by default, for texts that are stored and read by others
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
