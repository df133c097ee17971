import { accessSync, constants } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";

import { makeNamedFolder } from "../../files/make-folder.ts";
import type { StatePaths } from "../../host/paths.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { bad, badBecause, ok } from "./diagnosis.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** Space and inodes that a base, a build and an image need together. */
const neededBytes = 4_000_000_000;
const neededInodes = 200_000;

/** Network file systems, by magic number (statfs(2)). SQLite's WAL and overlays need a local file system. */
const remote: Readonly<Record<number, string>> = {
  0x6969: "NFS",
  0x517b: "SMB",
  0xff534d42: "CIFS",
  0xfe534d42: "SMB2",
  0x01021997: "9P",
};

/** The needed part of what statfs(2) returns. */
interface FileSystem {
  readonly type: number;
  readonly bsize: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
}

/** Whether the state folder exists, is writable, and is on a local disk with enough space. */
export async function diskFindings({
  root,
  scratch,
}: StatePaths): Promise<Diagnosis[]> {
  try {
    makeNamedFolder(scratch);
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (thrown) {
    return [
      badBecause(
        "state folder",
        thrown,
        `run it as the user who owns ${root}; or as root: install -d -o USER ${root}`,
      ),
      ...spaceFindings(await nearestFileSystem(root), root),
    ];
  }
  return [ok("state folder", root), ...spaceFindings(await statfs(root), root)];
}

async function nearestFileSystem(path: string): Promise<FileSystem> {
  try {
    return await statfs(path);
  } catch (thrown) {
    if (path === "/") throw thrown;
    return nearestFileSystem(dirname(path));
  }
}

/** Findings about the file system of the state folder. */
export function spaceFindings(
  { type, bsize, bavail, files, ffree }: FileSystem,
  root: string,
): Diagnosis[] {
  const free = bavail * bsize;
  const space = `${(free / 1e9).toFixed(1)} GB free`;
  const kind = remote[type];
  return [
    free >= neededBytes
      ? ok("disk", space)
      : bad(
          "disk",
          space,
          advice`make room on the disk of ${root}: at least ${neededBytes / 1e9} GB; ${remedy("expire")} removes what the settings give up`,
        ),
    // btrfs allocates inodes as needed, and reports that there are none.
    files === 0 || ffree >= neededInodes
      ? ok("inodes", files === 0 ? "made as needed" : `${ffree} free`)
      : bad(
          "inodes",
          `${ffree} free`,
          `remove small files on the disk of ${root}: at least ${neededInodes} inodes; or make its file system anew with more (mkfs.ext4 -i 8192)`,
        ),
    kind === undefined
      ? ok("file system", "is local")
      : bad(
          "file system",
          `${root} is on ${kind}`,
          "put the state folder on a local disk (ext4, xfs, btrfs): --state-dir, or mount one there",
        ),
  ];
}
