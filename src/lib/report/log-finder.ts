import { oneLine } from "../domain/shown-text.ts";
import { lineText } from "./log-line.ts";
import type { ResultLine } from "./log-sections.ts";

/** What is looked for in a log. */
export interface Wanted {
  /** Why something failed; each quotes the line that explains it. */
  readonly reasons: readonly string[];
  /** Names of tests. */
  readonly tests: readonly string[];
}

/** Finds the line that a verdict comes from while a log is read. */
export interface LineFinder {
  line(text: string, number: number): void;
  result(found: ResultLine, number: number): void;
  /** Line numbers by reason and by name of test, as far as found. */
  found(): ReadonlyMap<string, number>;
}

/** How much of a line a reason quotes, and the least that counts as a quotation. */
const quoted = { least: 6, most: 300 };

/**
 * The line of a reason is the longest one that it quotes, the last of those; else the last line that
 * says that something failed. The line of a test is that of its result.
 */
export function lineFinder({ reasons, tests }: Wanted): LineFinder {
  const quotations = reasons.map((reason) => ({
    reason,
    text: oneLine(reason),
    length: quoted.least - 1,
    at: 0,
  }));
  const wanted = new Set(tests);
  const results = new Map<string, number>();
  let failed = 0;
  return {
    line(text, number) {
      if (quotations.length === 0) return;
      const line = lineText(text).trim().slice(0, quoted.most);
      for (const one of quotations) {
        if (line.length < one.length || line.length < quoted.least) continue;
        if (!one.text.includes(line)) continue;
        one.length = line.length;
        one.at = number;
      }
      if (/^(?:failed|tmpfail): /.test(line)) failed = number;
    },
    result({ test, isOwn }, number) {
      if (!wanted.has(test)) return;
      // What a test prints may look like a result.
      if (isOwn || !results.has(test)) results.set(test, number);
    },
    found() {
      const found = new Map(results);
      for (const { reason, at } of quotations) {
        const line = at === 0 ? failed : at;
        if (line > 0) found.set(reason, line);
      }
      return found;
    },
  };
}
