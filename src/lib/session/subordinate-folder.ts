import { chmod, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

import { makeOwnFolder } from "../files/own-folder.ts";
import { execOk } from "../host/exec.ts";
import { asSubordinateRoot } from "./subordinate-ids.ts";

/**
 * Makes a folder for tools that unpack a system as our subordinate ids: mmdebstrap, sbuild. Only the
 * group of the first of them gets access: an unfinished system has setuid files and a world-writable /tmp.
 *
 * @param scratch where it is made, unless other ids cannot come there
 */
export async function makeSubordinateFolder(
  scratch: string,
  kind: "ubuntu-ci-base" | "ubuntu-ci-sbuild",
): Promise<string> {
  const folder = makeOwnFolder(await passable(scratch), kind);
  try {
    await execOk([...asSubordinateRoot, "chgrp", "1", folder]);
    await chmod(folder, 0o710);
    return folder;
  } catch (thrown) {
    await rm(folder, { recursive: true, force: true });
    throw thrown;
  }
}

/** A folder that our subordinate ids can enter; homes and temporary folders are often closed to others. */
async function passable(scratch: string): Promise<string> {
  for (let folder = scratch; folder !== "/"; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return "/var/tmp";
  }
  return scratch;
}
