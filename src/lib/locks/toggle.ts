import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";

import type { StatePaths } from "../host/paths.ts";

/** Path of the file that lists the commands that maintenance held back. */
export function heldBackFile(runFolder: string): string {
  return join(runFolder, "held-back.json");
}

/**
 * Whether maintenance is on, or its end is not yet in the history. Costs two file checks, cheap enough
 * for every pass of cron. If the files cannot be checked, maintenance counts as on.
 */
export function mayBeInMaintenance({ maintenance, run }: StatePaths): boolean {
  try {
    return (
      lstatSync(maintenance, { throwIfNoEntry: false }) !== undefined ||
      existsSync(heldBackFile(run))
    );
  } catch {
    return true;
  }
}
