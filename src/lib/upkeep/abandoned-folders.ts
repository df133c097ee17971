import { tmpdir } from "node:os";
import { join } from "node:path";

import { namesIn } from "../files/names-in.ts";
import type { StatePaths } from "../host/paths.ts";
import { abandonedIn, isAbandoned } from "../files/own-folder.ts";
import type { Connection } from "../state/database.ts";
import { openRuns } from "../state/leases.ts";

/**
 * Absolute paths of folders in the state that no process uses any more: scratch folders of finished runs,
 * which include their sessions, and folders of killed processes.
 */
export async function abandonedFolders(
  db: Connection,
  paths: StatePaths,
): Promise<string[]> {
  const inScratch = await namesIn(paths.scratch);
  // Read after the folder, because a run is recorded before its folder is made.
  const open = new Set(openRuns(db).map(({ id }) => `run.${id}`));
  return [
    ...inScratch
      .filter((name) =>
        /^run\.[0-9]+$/.test(name)
          ? !open.has(name)
          : isAbandoned(name) === true,
      )
      .map((name) => join(paths.scratch, name)),
    ...(await namesIn(paths.root))
      .filter(
        (name) => name.startsWith(".backup.") && isAbandoned(name) === true,
      )
      .map((name) => join(paths.root, name)),
  ];
}

/**
 * Folders of killed processes of this user in shared temporary folders. They may belong to another state,
 * so fsck does not report them.
 */
export function abandonedOutside(): string[] {
  return [
    ...abandonedIn("/var/tmp", ["ubuntu-ci-base", "ubuntu-ci-sbuild"]),
    ...abandonedIn(tmpdir(), ["ubuntu-ci-handed"]),
  ];
}
