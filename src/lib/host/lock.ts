import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

import { notNow } from "../domain/error.ts";
import { now } from "./clock.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { isGone, thisProcess } from "./process-identity.ts";

/** What a PID file says: who holds the lock, since when, and with which command line. */
export interface LockHolder extends ProcessIdentity {
  readonly name: string;
  readonly since: string;
  readonly command: string;
}

// Far longer than any pause of the event loop; a dead holder is found by its process, not by age.
const staleMs = 30 * 60_000;

/**
 * Runs `work` while holding the PID-file lock of that name. A lock whose process is dead is taken
 * over, and `tookOver` is told of it.
 *
 * @throws UbuntuCiError (75) saying who holds it and since when
 */
export async function withLock<T>(
  runFolder: string,
  name: string,
  tookOver: (dead: LockHolder) => void,
  work: () => Promise<T>,
  options: { readonly patient?: boolean } = {},
): Promise<T> {
  const { default: lockfile } = await import("proper-lockfile");
  const file = join(runFolder, `${name}.pid`);
  mkdirSync(runFolder, { recursive: true });
  writeFileSync(file, "", { flag: "a" });
  const take = () =>
    lockfile.lock(file, { realpath: false, stale: staleMs, update: 60_000 });
  let release: (() => Promise<void>) | undefined;
  for (
    let tries = options.patient === true ? 600 : 1;
    release === undefined;
    tries -= 1
  ) {
    try {
      release = await take();
      break;
    } catch (thrown) {
      if (!isLocked(thrown)) throw thrown;
    }
    const dead = deadHolder(file);
    if (dead === undefined) {
      if (tries <= 1) throw heldBy(name, file);
      await setTimeout(50);
      continue;
    }
    // Only one of several that found it dead may remove it, and only while it is still the dead one's.
    const alone = await lockfile.lock(`${file}.takeover`, {
      realpath: false,
      stale: 10_000,
      retries: { retries: 20, minTimeout: 50, maxTimeout: 200 },
    });
    try {
      if (deadHolder(file) === undefined) throw heldBy(name, file);
      rmSync(`${file}.lock`, { recursive: true, force: true });
      release = await take();
      tookOver(dead);
    } finally {
      await alone();
    }
  }
  try {
    const holder: LockHolder = {
      ...thisProcess(),
      name,
      since: now(),
      command: process.argv.slice(1).join(" "),
    };
    writeFileSync(file, `${JSON.stringify(holder)}\n`);
    return await work();
  } finally {
    writeFileSync(file, "");
    await release();
  }
}

/** The locks that are held, and whether their process is still there. */
export function heldLocks(
  runFolder: string,
): (LockHolder & { dead: boolean })[] {
  let names: string[];
  try {
    names = readdirSync(runFolder);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw thrown;
  }
  return names
    .filter((name) => name.endsWith(".pid"))
    .flatMap((name) => readHolder(join(runFolder, name)) ?? [])
    .map((holder) => ({ ...holder, dead: isGone(holder) === true }));
}

function isLocked(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException).code === "ELOCKED";
}

function readHolder(file: string): LockHolder | undefined {
  const text = readFileSync(file, "utf8");
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text) as LockHolder;
  } catch {
    return undefined; // half written by a process that was killed; its age decides
  }
}

function deadHolder(file: string): LockHolder | undefined {
  const holder = readHolder(file);
  return holder !== undefined && isGone(holder) === true ? holder : undefined;
}

function heldBy(name: string, file: string): Error {
  const holder = readHolder(file);
  const who =
    holder === undefined
      ? "another copy"
      : `process ${holder.pid} on ${holder.host}, since ${holder.since}`;
  return notNow(
    `${name} is running already: ${who}`,
    "wait for it, or run it again later",
  );
}
