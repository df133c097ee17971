import type { StatePaths } from "../host/paths.ts";
import { lockFile } from "../locks/exclusively.ts";

/**
 * The lock of whoever creates a ticket: its files are in the store before its row can be seen. Whoever
 * holds it sees no such files.
 */
export const creationLock = (paths: Pick<StatePaths, "locks">): string =>
  lockFile(paths, "creating");
