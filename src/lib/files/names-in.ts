import { readdir } from "node:fs/promises";

import { ifExists } from "./optional-file.ts";

/** Names of the entries of a folder, sorted; empty when the folder does not exist. */
export async function namesIn(folder: string): Promise<string[]> {
  return ((await ifExists(readdir(folder))) ?? []).sort();
}
