import { readdir } from "node:fs/promises";

import { ifExists } from "./optional-file.ts";

/** Names in a folder, sorted; none where there is none. */
export async function namesIn(folder: string): Promise<string[]> {
  return ((await ifExists(readdir(folder))) ?? []).sort();
}
