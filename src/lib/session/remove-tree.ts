import { rm } from "node:fs/promises";

import { execOk } from "../host/exec.ts";
import { asSubordinateRoot } from "./subordinate-ids.ts";

/**
 * Removes a folder and everything in it, including files of this user's subordinate ids, as in sessions.
 * A missing folder is fine.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    // Another id owns part of it, or its paths are too long: rm(1) descends one folder at a time, and
    // reports what still fails.
    const rm = ["rm", "-rf", "--one-file-system", "--", path];
    await execOk([...asSubordinateRoot, ...rm]);
  }
}
