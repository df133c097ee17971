import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";

import type { StatePaths } from "../host/paths.ts";

/** Where it is kept which commands maintenance held back. */
export function heldBackFile(runFolder: string): string {
  return join(runFolder, "held-back.json");
}

/**
 * Whether maintenance is on, or its end is not in the history yet: two looks at the disk, which each
 * pass of cron can afford. What cannot be told counts as on.
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
