import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";

import Database from "better-sqlite3";

import { notNow } from "../domain/error.ts";
import { makeFolder } from "../files/make-folder.ts";
import type { StatePaths } from "../host/paths.ts";

/** Path of a lock file, in a folder that only the state's owner can enter. */
export function lockFile(
  { locks }: Pick<StatePaths, "locks">,
  name: string,
): string {
  return join(locks, name);
}

/** Milliseconds between attempts: short at first, since most locks are held briefly. */
const shortestWaitMs = 1;
const longestWaitMs = 50;

/**
 * Mutual exclusion: runs `work` while nobody else does under the same lock file, in this process or
 * another. Waits for the lock.
 *
 * The lock is an open transaction on an empty SQLite file, which is a record lock of the kernel on that
 * file (fcntl(2); https://www.sqlite.org/lockingv3.html). The kernel releases it when the process ends,
 * however that happens. It works across namespaces, and only users who can open the file can take it.
 * The file stays empty and is never removed. This process must not open it in any other way, because
 * closing any of its descriptors would release the lock.
 *
 * @param signal ends the wait
 * @throws UbuntuCiError (75) when the file cannot be used; the signal's reason when that fires
 */
export async function exclusively<T>(
  file: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const lock = open(file);
  try {
    for (let wait = shortestWaitMs; !begins(lock, file); wait *= 2)
      await pause(Math.min(wait, longestWaitMs), signal);
    return await work();
  } finally {
    lock.close(); // also ends the transaction
  }
}

function open(file: string): Database.Database {
  try {
    makeFolder(dirname(file));
    return new Database(file, { timeout: 0 });
  } catch (thrown) {
    throw unusable(file, thrown);
  }
}

/** Tries to take the lock; false when another holds it. */
function begins(lock: Database.Database, file: string): boolean {
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (thrown) {
    if (
      thrown instanceof Database.SqliteError &&
      thrown.code.startsWith("SQLITE_BUSY")
    )
      return false;
    throw unusable(file, thrown);
  }
}

async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, signal === undefined ? {} : { signal });
  } catch (thrown) {
    // Rejects with the signal's reason instead of the AbortError of the timer.
    signal?.throwIfAborted();
    throw thrown;
  }
}

function unusable(file: string, thrown: unknown): unknown {
  return thrown instanceof Database.SqliteError
    ? notNow(
        `the lock file ${file} cannot be used: ${thrown.message}`,
        "check its owner, and its disk; when nothing runs, it may be removed",
        thrown,
      )
    : thrown;
}
