import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ifThere } from "../host/if-there.ts";
import type { StatePaths } from "../host/paths.ts";
import { abandonedIn, isAbandoned } from "../host/own-folder.ts";
import type { Connection } from "../state/database.ts";
import { openRuns } from "../state/leases.ts";

/**
 * Folders that no process needs any more, absolute: scratch of runs that have ended (a session's
 * files are in there, too), and what killed processes had for themselves.
 */
export async function abandonedFolders(
  db: Connection,
  paths: StatePaths,
): Promise<string[]> {
  const inScratch = await namesIn(paths.scratch);
  // Read after the folder: a run is on record before its folder is made.
  const open = new Set(openRuns(db).map(({ id }) => `run.${id}`));
  return [
    ...inScratch
      .filter((name) =>
        /^run\.[0-9]+$/.test(name)
          ? !open.has(name)
          : isAbandoned(name) === true,
      )
      .map((name) => join(paths.scratch, name)),
    // Other users' are theirs to remove.
    ...abandonedIn("/var/tmp", ["ubuntu-ci-base"]),
    ...abandonedIn(tmpdir(), ["ubuntu-ci-handed", "ubuntu-ci-fetched"]),
    ...(await namesIn(paths.root))
      .filter(
        (name) => name.startsWith(".backup.") && isAbandoned(name) === true,
      )
      .map((name) => join(paths.root, name)),
  ];
}

/** Names in a folder, sorted; none where there is none. */
export async function namesIn(folder: string): Promise<string[]> {
  return ((await ifThere(readdir(folder))) ?? []).sort();
}
