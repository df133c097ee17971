import { readFileSync } from "node:fs";
import { join } from "node:path";

import { writeFileAtomic } from "../files/atomic-file.ts";
import { now } from "./clock.ts";
import { ifExistsSync } from "../files/optional-file.ts";

function fileOf(runFolder: string, what: string): string {
  return join(runFolder, `${what}.done`);
}

/** Records that something was done just now, even if its result did not change. */
export async function markDone(runFolder: string, what: string): Promise<void> {
  await writeFileAtomic(fileOf(runFolder, what), `${now()}\n`);
}

/** When something was last done, ISO 8601 UTC; null if never. */
export function lastDone(runFolder: string, what: string): string | null {
  const text = ifExistsSync(() =>
    readFileSync(fileOf(runFolder, what), "utf8").trim(),
  );
  return text === undefined || Number.isNaN(Date.parse(text)) ? null : text;
}
