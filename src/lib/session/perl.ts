import { join } from "node:path";

import { programRoot } from "../host/paths.ts";

/** The scripts that are started from here; each documents its purpose and arguments. */
type Script = "holder" | "receive" | "shed" | "supervise" | "take";

/** The argv to put before a script's own arguments (see confine.pl). */
export function perl(script: Script): readonly string[] {
  const folder = join(programRoot, "src/lib/session");
  return ["perl", "-w", join(folder, `${script}.pl`), process.arch];
}
