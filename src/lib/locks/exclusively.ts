import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";

import Database from "better-sqlite3";

import { notNow } from "../domain/error.ts";
import { makeFolder } from "../files/make-folder.ts";
import type { StatePaths } from "../host/paths.ts";

/** The lock file of that name, in a folder that only the state's owner can enter. */
export function lockFile(
  { locks }: Pick<StatePaths, "locks">,
  name: string,
): string {
  return join(locks, name);
}

/** Waits between attempts in milliseconds: short at first, since most locks are held briefly. */
const shortestWaitMs = 1;
const longestWaitMs = 50;

/**
 * Runs work while nobody else does so under the same lock file, in this process or another; waits for
 * its turn, until the signal ends that.
 *
 * The lock is an open transaction on an empty SQLite file, so a record lock of the kernel's on that
 * very file (fcntl(2); https://www.sqlite.org/lockingv3.html). It ends with its process however that
 * ends, holds in whatever namespace a process is, and nobody can take it who cannot open the file.
 * Nothing is ever written to the file, and it is never removed. This process must not open it in
 * any other way: closing it then would give the lock away.
 *
 * @throws UbuntuCiError (75) when the file cannot be used
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
    lock.close(); // which ends the transaction as well
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

/** Tries to take the lock. */
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
    // Throws the signal's own reason.
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
