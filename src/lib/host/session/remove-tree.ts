import { rm } from "node:fs/promises";

import { execOk } from "../exec.ts";

/**
 * Removes a folder with everything in it, also what belongs to the subuids of this user, as a
 * session's files do. Nothing there is fine.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EPERM" && code !== "ENOTEMPTY")
      throw thrown;
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
