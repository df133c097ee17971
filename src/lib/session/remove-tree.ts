import { rm } from "node:fs/promises";

import { execOk } from "../host/exec.ts";

/**
 * Removes a folder with everything in it, also what belongs to the subuids of this user, as a
 * session's files do. Nothing there is fine.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    // It is another's in there, or its names are longer together than a path may be: rm(1) enters each
    // folder in turn, and says what is wrong when nothing helps.
    await execOk([
      "unshare",
      "--user",
      "--map-auto",
      "--map-root-user",
      "rm",
      "-rf",
      "--one-file-system",
      "--",
      path,
    ]);
  }
}
