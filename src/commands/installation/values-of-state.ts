import { readdirSync, statSync } from "node:fs";

import type { StatePaths } from "../../lib/host/paths.ts";
import {
  completedKinds,
  completedValues,
} from "../../lib/state/completed-values.ts";
import { openCurrentDatabase } from "../../lib/state/database.ts";

/** What the state has of a kind. */
export const kindsOfState = [...completedKinds, "uploaders"] as const;

/**
 * The values of a kind in a state, for a shell that completes a word. Nobody can act on an error in the
 * middle of a line that is being typed: without a state, or with somebody else's, there are none.
 */
export function valuesOfState(
  paths: StatePaths,
  kind: (typeof kindsOfState)[number],
): readonly string[] {
  try {
    // SQLite would make files of this user's beside another user's database.
    if (statSync(paths.database).uid !== process.geteuid?.()) return [];
    if (kind === "uploaders")
      return readdirSync(paths.uploaders).flatMap(
        (name) => /^([0-9A-F]+)\.gpg$/.exec(name)?.[1] ?? [],
      );
    const db = openCurrentDatabase(paths.database);
    try {
      return db === undefined ? [] : completedValues(db, kind);
    } finally {
      db?.close();
    }
  } catch {
    return [];
  }
}
