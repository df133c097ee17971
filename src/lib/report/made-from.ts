import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { ifExistsSync } from "../files/optional-file.ts";
import { programRoot } from "../host/paths.ts";
import { writePublicFile } from "../files/public-files.ts";

/** What a report was made from: the next one begins there. */
interface MadeFrom {
  /** Stands for the program, the state file and the settings that every page depends on. */
  readonly basis: string;
  /** The newest event that it shows. */
  readonly event: number;
  /** Whether it shows nothing that changes without an event: open tickets, maintenance, locks. */
  readonly calm: boolean;
}

const fileIn = (output: string) => join(output, ".made-from.json");

/** The note in a report's folder; null where there is none that can be read. */
export function readMadeFrom(output: string): MadeFrom | null {
  const text = ifExistsSync(() => readFileSync(fileIn(output), "utf8"));
  if (text === undefined) return null;
  try {
    return JSON.parse(text) as MadeFrom;
  } catch {
    return null; // a person's doing: all pages are made, and it is written anew
  }
}

/** Notes it, once every page is written: after a report that was killed the next begins where that one did. */
export async function writeMadeFrom(
  output: string,
  made: MadeFrom,
): Promise<void> {
  await writePublicFile(fileIn(output), `${JSON.stringify(made)}\n`);
}

/** The basis of a report: of this program, on that state file, with these settings. */
export function reportBasis(
  database: string,
  settings: readonly unknown[],
): string {
  // A restored state is another file; the numbers of its events begin again where the backup ended.
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
