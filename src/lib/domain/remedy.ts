/**
 * A command that helps, as data. It becomes a command line where it is shown; one of this program then
 * gets the options that select the reader's installation or ticket system.
 */
export interface Remedy {
  /** A system program (`apt-get`); absent for this program. */
  readonly program?: string;
  /** Name of the command, with its subcommand if it has any: `archive revert`. */
  readonly verb: string;
  readonly args: readonly string[];
  /** Values by option name without dashes; true for an option without a value. */
  readonly options: Readonly<Record<string, string | true>>;
}

/** What a person should do: a sentence that may contain remedies, or a remedy alone. */
export type Advice = string | Remedy | readonly (string | Remedy)[];

/** Makes a remedy; words in capitals are placeholders for the reader to fill in. */
export function remedy(
  verb: string,
  args: readonly (string | number)[] = [],
  options: Remedy["options"] = {},
): Remedy {
  return { verb, args: args.map(String), options };
}

/** The first remedy in an advice, or null when it names none. */
export function remedyIn(given: Advice): Remedy | null {
  if (typeof given === "string") return null;
  if ("verb" in given) return given;
  return given.find((part) => typeof part !== "string") ?? null;
}

/** Template tag for a sentence that contains remedies. */
export function advice(
  words: TemplateStringsArray,
  ...between: readonly (Advice | number)[]
): Advice {
  const parts = words.flatMap((word, index): readonly (string | Remedy)[] => {
    const next = between[index] ?? "";
    if (typeof next === "number") return [word, String(next)];
    return typeof next === "string" || "verb" in next
      ? [word, next]
      : [word, ...next];
  });
  return parts.every((part) => typeof part === "string")
    ? parts.join("")
    : parts;
}
