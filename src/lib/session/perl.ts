import { join } from "node:path";

import { programRoot } from "../host/paths.ts";

/** The scripts of sessions that are started from here; each says what it does and takes. */
type Script = "holder" | "receive" | "shed" | "supervise" | "take";

/** argv in front of a script's own arguments (see confine.pl). */
export function perl(script: Script): readonly string[] {
  const folder = join(programRoot, "src/lib/session");
  return ["perl", "-w", join(folder, `${script}.pl`), process.arch];
}
