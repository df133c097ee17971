import { tmpdir } from "node:os";
import { join } from "node:path";

import { namesIn } from "../files/names-in.ts";
import type { StatePaths } from "../host/paths.ts";
import { abandonedIn, isAbandoned } from "../files/own-folder.ts";
import type { Connection } from "../state/database.ts";
import { openRuns } from "../state/leases.ts";

/**
 * Folders of a state that no process needs any more, absolute: scratch of runs that have ended (a
 * session's files are in there, too), and what killed processes had for themselves.
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
    ...(await namesIn(paths.root))
      .filter(
        (name) => name.startsWith(".backup.") && isAbandoned(name) === true,
      )
      .map((name) => join(paths.root, name)),
  ];
}

/**
 * What killed processes of this user, of whatever state, had for themselves in folders that many
 * share. Nothing is wrong with a state because of it.
 */
export function abandonedOutside(): string[] {
  return [
    ...abandonedIn("/var/tmp", ["ubuntu-ci-base"]),
    ...abandonedIn(tmpdir(), ["ubuntu-ci-handed"]),
  ];
}
