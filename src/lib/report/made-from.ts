import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { ifExistsSync } from "../files/optional-file.ts";
import { programRoot } from "../host/paths.ts";

/** What a report was made from, so that the next one only has to rewrite what changed since. */
interface MadeFrom {
  /** Identifies the program, the state file and the settings, on which every page depends. */
  readonly basis: string;
  /** Number of the newest event that the report shows. */
  readonly event: number;
  /** Whether nothing in it changes without an event, as open tickets, maintenance and locks do. */
  readonly calm: boolean;
}

/** Name of the file in a report's folder. */
export const madeFromFile = ".made-from.json";

/** Reads this from the file in a report's folder; null when there is no valid one. */
export function readMadeFrom(output: string): MadeFrom | null {
  const text = ifExistsSync(() =>
    readFileSync(join(output, madeFromFile), "utf8"),
  );
  if (text === undefined) return null;
  try {
    return JSON.parse(text) as MadeFrom;
  } catch {
    return null; // edited by hand: all pages are made, and the file is rewritten
  }
}

/** The contents of the file. It is written after all pages, so that the report after a killed one writes the same pages again. */
export function madeFromText(made: MadeFrom): string {
  return `${JSON.stringify(made)}\n`;
}

/** The basis of a report by this program, of that state file, with these settings. */
export function reportBasis(
  database: string,
  settings: readonly unknown[],
): string {
  // A restored state is another file, in which event numbers may repeat.
  const { dev, ino, birthtimeMs } = statSync(database);
  const program = [join(programRoot, "templates"), import.meta.dirname].flatMap(
    (folder) =>
      readdirSync(folder)
        .sort()
        .map((name) => [name, statSync(join(folder, name)).mtimeMs]),
  );
  return createHash("sha256")
    .update(JSON.stringify([program, dev, ino, birthtimeMs, settings]))
    .digest("hex");
}
