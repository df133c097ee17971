import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { programRoot } from "../host/paths.ts";

/** The scripts that are started from here; each documents its purpose and arguments. */
type Script = "holder" | "receive" | "shed" | "supervise" | "take";

/** The argv to put before a script's own arguments (see confine.pl). */
export function perl(
  script: Script,
  folder = join(programRoot, "src/lib/session"),
): readonly string[] {
  return ["perl", "-w", join(folder, `${script}.pl`), process.arch];
}

/** The files of a script, by name, for a place where it is to run. */
export async function filesOf(
  script: Script,
): Promise<Readonly<Record<string, string>>> {
  const names = [`${script}.pl`, "confine.pl"];
  const read = async (name: string) =>
    [
      name,
      await readFile(join(programRoot, "src/lib/session", name), "utf8"),
    ] as const;
  return Object.fromEntries(await Promise.all(names.map(read)));
}
