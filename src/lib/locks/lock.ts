import { randomBytes } from "node:crypto";
import {
  closeSync,
  futimesSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";

import { ageInWords } from "../domain/age.ts";
import { ExitCode, notNow, UbuntuCiError } from "../domain/error.ts";
import { redact } from "../domain/redact.ts";
import { now } from "../host/clock.ts";
import { hasCode, ifExistsSync } from "../files/optional-file.ts";
import type { LockHolder } from "./lock-holder.ts";
import { holderInWords } from "./lock-holder.ts";
import { crashPoint } from "../files/crash-point.ts";
import { makeNamedFolder } from "../files/make-folder.ts";
import { isGone, thisProcess } from "../files/process-identity.ts";

/** Another copy of the command is running (exit 75). */
export class LockHeld extends UbuntuCiError {
  readonly holder: LockHolder;

  constructor(name: string, holder: LockHolder) {
    super(
      `${name} is running already: ${holderInWords(holder)}, for ${ageInWords(holder.since)}`,
      {
        exitCode: ExitCode.notNow,
        routine: true,
      },
    );
    this.holder = holder;
  }
}

/** A process on another machine cannot be checked from here: it counts as dead after ten missed updates. */
const updateMs = 60_000;
const missedMs = 10 * updateMs;

/** Taking over takes milliseconds: an older folder was left by a process that was killed meanwhile. */
const takingOverMs = 5_000;

/**
 * Runs `work` while holding the PID-file lock of that name. A lock whose process is dead is taken over
 * at once.
 *
 * The PID file is the lock. It is created together with its contents, as a hard link, so that a process
 * killed at any instant leaves no lock without the name of its holder. Whether a process of this machine
 * is dead does not depend on a clock.
 *
 * @param tookOver called with the former holder after a takeover; null when the file was unreadable
 * @param options.patient wait for the lock up to half a minute
 * @throws LockHeld (75) saying who holds the lock and since when
 */
export async function withLock<T>(
  runFolder: string,
  name: string,
  tookOver: (dead: LockHolder | null) => void,
  work: () => Promise<T>,
  options: { readonly patient?: boolean } = {},
): Promise<T> {
  const file = join(runFolder, `${name}.pid`);
  makeNamedFolder(runFolder);
  const holder: LockHolder = {
    ...thisProcess(),
    name,
    since: now(),
    command: redact(process.argv.slice(1).join(" ")),
  };
  const before = await takeInTime(file, holder, options.patient === true);
  const open = openSync(file, "r");
  const alive = setInterval(() => {
    const time = Date.now() / 1000;
    futimesSync(open, time, time);
  }, updateMs);
  alive.unref();
  try {
    if (before !== "free") tookOver(before);
    return await work();
  } finally {
    clearInterval(alive);
    closeSync(open);
    // Another process holds the lock if a person removed ours, or another machine considered us dead.
    const found = lookAt(file);
    if (found !== "gone" && isSame(found.holder, holder)) rmSync(file);
    crashPoint("lock.released");
  }
}

/** What a lock was before it was taken: free, held by a dead process, or (null) an unreadable file. */
type Before = "free" | LockHolder | null;

/** Takes the lock; when patient, waits for it up to half a minute. */
async function takeInTime(
  file: string,
  holder: LockHolder,
  patient: boolean,
): Promise<Before> {
  for (let tries = patient ? 600 : 1; ; tries -= 1) {
    const found = await take(file, holder);
    if ("before" in found) return found.before;
    if (tries <= 1) throw new LockHeld(holder.name, found.by);
    await setTimeout(50);
  }
}

/** Takes the lock if it is free or its process is dead; otherwise returns its holder. */
async function take(
  file: string,
  holder: LockHolder,
): Promise<{ readonly before: Before } | { readonly by: LockHolder }> {
  const mine = join(
    dirname(file),
    `.${basename(file)}.${randomBytes(9).toString("hex")}`,
  );
  const givesUp = performance.now() + 3 * takingOverMs;
  try {
    for (;;) {
      writeFileSync(mine, `${JSON.stringify(holder)}\n`);
      crashPoint("lock.prepared");
      try {
        linkSync(mine, file);
        crashPoint("lock.taken");
        removeUnused(file);
        return { before: "free" };
      } catch (thrown) {
        // While `mine` was being written, another process may have considered it abandoned and removed it.
        if (hasCode(thrown, "ENOENT")) continue;
        if (!hasCode(thrown, "EEXIST")) throw thrown;
      }
      const found = lookAt(file);
      if (found === "gone") continue;
      if (!found.dead) return { by: found.holder };
      const taken = await takeOver(file, mine);
      if (taken === "busy") {
        if (performance.now() > givesUp)
          throw notNow(
            `${holder.name} cannot start: another process has been taking over its lock for too long`,
            `run it again; if that does not help, remove ${file}.lock`,
          );
        await setTimeout(50);
      } else if (taken !== "changed") {
        removeUnused(file);
        return taken;
      }
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/**
 * Replaces a dead process's lock by `mine`. Several processes may try this at once, on this machine or
 * others: proper-lockfile admits one at a time, and each checks the lock again. A process that is killed
 * in between leaves a folder that only blocks takeovers, and is stale after five seconds.
 */
async function takeOver(
  file: string,
  mine: string,
): Promise<"busy" | "changed" | { readonly before: LockHolder | null }> {
  const { lock } = await import("proper-lockfile");
  const folder = `${file}.lock`;
  let release;
  try {
    release = await lock(file, {
      lockfilePath: folder,
      realpath: false,
      stale: takingOverMs,
      // The code below awaits nothing, and a process that was suspended for long sees that the lock changed.
      onCompromised: () => undefined,
    });
  } catch (thrown) {
    // Where clocks disagree, another process may have considered the new folder stale and removed it.
    if (hasCode(thrown, "ENOENT")) return "busy";
    if (!hasCode(thrown, "ELOCKED")) throw thrown;
    becomesStale(folder);
    return "busy";
  }
  try {
    const again = lookAt(file);
    if (again === "gone" || !again.dead) return "changed";
    crashPoint("lock.taking-over");
    renameSync(mine, file);
    crashPoint("lock.taken-over");
    return { before: again.holder };
  } catch (thrown) {
    // While `mine` was being written, another process may have considered it abandoned and removed it.
    if (hasCode(thrown, "ENOENT")) return "changed";
    throw thrown;
  } finally {
    await release().catch((thrown: unknown) => {
      // Another process considered the folder stale and removed it: there is nothing to release.
      if (!hasCode(thrown, "ERELEASED")) throw thrown;
    });
  }
}

/** Sets a time in the future to now: a folder left before the clock was set back would stay fresh for long. */
function becomesStale(folder: string): void {
  const made = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (made <= Date.now() + takingOverMs) return;
  const time = Date.now() / 1000;
  ifExistsSync(() => utimesSync(folder, time, time));
}

/** The holder of a lock, and whether that process is dead. An unreadable file counts as dead, without a holder. */
function lookAt(
  file: string,
):
  | "gone"
  | { readonly dead: true; readonly holder: LockHolder | null }
  | { readonly dead: false; readonly holder: LockHolder } {
  try {
    const holder = readHolder(file);
    if (holder === undefined) return { dead: true, holder: null };
    const { mtimeMs } = statSync(file);
    const dead = isGone(holder) ?? Date.now() - mtimeMs > missedMs;
    return { dead, holder };
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT")) return "gone";
    throw thrown;
  }
}

/** Removes the prepared files of processes that were killed while they tried to take this lock. */
function removeUnused(file: string): void {
  const folder = dirname(file);
  const prefix = `.${basename(file)}.`;
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(prefix)) continue;
    const found = lookAt(join(folder, name));
    if (found !== "gone" && found.dead)
      rmSync(join(folder, name), { force: true });
  }
}

/** The locks that are held, and whether their processes are dead. */
export function heldLocks(
  runFolder: string,
): (LockHolder & { dead: boolean })[] {
  return filesIn(runFolder)
    .filter((name) => name.endsWith(".pid") && !name.startsWith("."))
    .flatMap((name) => {
      const found = lookAt(join(runFolder, name));
      return found === "gone" || found.holder === null
        ? []
        : [{ ...found.holder, dead: found.dead }];
    });
}

/** Names of the locks whose process is dead, or was killed while it tried to take them. */
export function deadLocks(runFolder: string): string[] {
  const names = filesIn(runFolder).flatMap((file) => {
    const name = /^(?:\.(.+)\.pid\.[0-9a-f]+|([^.].*)\.pid)$/.exec(file);
    if (name === null) return [];
    const found = lookAt(join(runFolder, file));
    return found !== "gone" && found.dead ? [name[1] ?? name[2] ?? ""] : [];
  });
  return [...new Set(names)].sort();
}

function filesIn(folder: string): string[] {
  return ifExistsSync(() => readdirSync(folder)) ?? [];
}

function readHolder(file: string): LockHolder | undefined {
  const text = readFileSync(file, "utf8");
  try {
    const holder = JSON.parse(text) as Partial<LockHolder> | null;
    return typeof holder?.pid === "number" && typeof holder.since === "string"
      ? (holder as LockHolder)
      : undefined;
  } catch {
    return undefined; // truncated by a power failure, or made by hand
  }
}

function isSame(found: LockHolder | null, holder: LockHolder): boolean {
  return JSON.stringify(found) === JSON.stringify(holder);
}
