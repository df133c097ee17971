/**
 * A command that helps, as data. Whoever shows it writes it as a command line; one of this program's gets
 * the options that name the reader's installation or ticket system.
 */
export interface Remedy {
  /** A program of the system's (`apt-get`); absent: this one. */
  readonly program?: string;
  /** Name of the command, with that of its part where it has some: `archive revert`. */
  readonly verb: string;
  readonly args: readonly string[];
  /** By their names without dashes; one that takes no value is true. */
  readonly options: Readonly<Record<string, string | true>>;
}

/** What to do, for a person to read: a sentence with remedies in it, or a remedy alone. */
export type Advice = string | Remedy | readonly (string | Remedy)[];

/** Makes a remedy; words in capitals stand for what the reader has to fill in. */
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

/** A sentence with remedies in it, as a template literal. */
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
