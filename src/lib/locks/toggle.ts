import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";

import type { StatePaths } from "../host/paths.ts";

/** The file that lists the commands that maintenance held back. */
export function heldBackFile(runFolder: string): string {
  return join(runFolder, "held-back.json");
}

/**
 * Whether maintenance is on, or its end is not in the history yet. It costs two file checks, so that
 * every pass of cron can afford it. If it cannot be checked, it counts as on.
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
