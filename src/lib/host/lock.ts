import { randomBytes } from "node:crypto";
import {
  closeSync,
  futimesSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";

import { ageInWords } from "../domain/age.ts";
import { ExitCode, UbuntuCiError } from "../domain/error.ts";
import { redact } from "../domain/redact.ts";
import { now } from "./clock.ts";
import { holderInWords } from "./lock-words.ts";
import { crashPoint } from "./crash-point.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { isGone, thisProcess } from "./process-identity.ts";

/** What a PID file says: who holds the lock, since when, and with which command line. */
export interface LockHolder extends ProcessIdentity {
  readonly name: string;
  readonly since: string;
  readonly command: string;
}

/** Another copy is running (exit 75). */
export class LockHeld extends UbuntuCiError {
  readonly holder: LockHolder;

  constructor(name: string, holder: LockHolder) {
    super(
      `${name} is running already: ${holderInWords(holder)}, for ${ageInWords(holder.since)}`,
      {
        exitCode: ExitCode.notNow,
        hint: "wait for it, or run it again later",
        routine: true,
      },
    );
    this.holder = holder;
  }
}

/** Another machine's process can't be seen from here: ten missed updates and it is dead (seed 001). */
const updateMs = 60_000;
const missedMs = 10 * updateMs;

/**
 * Runs `work` while holding the PID-file lock of that name. A lock whose process is dead is taken
 * over at once, and `tookOver` is told of it: of null when the file does not say whose it was.
 *
 * The PID file is the lock. It comes into being with its contents, as a hard link, so there is no
 * instant at which a killed process leaves a lock that does not say whose it is; and no clock decides
 * about a process of this machine.
 *
 * @throws LockHeld (75) saying who holds it and since when
 */
export async function withLock<T>(
  runFolder: string,
  name: string,
  tookOver: (dead: LockHolder | null) => void,
  work: () => Promise<T>,
  options: { readonly patient?: boolean } = {},
): Promise<T> {
  const file = join(runFolder, `${name}.pid`);
  mkdirSync(runFolder, { recursive: true });
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
    // It is another's when a person removed it, or another machine gave us up.
    const found = lookAt(file);
    if (found !== "gone" && isSame(found.holder, holder)) rmSync(file);
    crashPoint("lock.released");
  }
}

/** What was there before a lock was taken: nothing, a dead process's, or a file that says nothing. */
type Before = "free" | LockHolder | null;

/** Takes the lock, waiting for it half a minute when patient. */
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

/** Takes the lock, if need be from a dead process; or tells who holds it. */
async function take(
  file: string,
  holder: LockHolder,
): Promise<{ readonly before: Before } | { readonly by: LockHolder }> {
  const mine = join(
    dirname(file),
    `.${basename(file)}.${randomBytes(9).toString("hex")}`,
  );
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
        // Half written it looks unused to others, who may remove it.
        if (hasCode(thrown, "ENOENT")) continue;
        if (!hasCode(thrown, "EEXIST")) throw thrown;
      }
      const found = lookAt(file);
      if (found === "gone") continue;
      if (!found.dead) return { by: found.holder };
      // Several may have found it dead: one after another, and only while it is still the dead one's.
      const { alone } = await import("./alone.ts");
      const taken = await alone(file, () => {
        const again = lookAt(file);
        if (again === "gone" || !again.dead) return Promise.resolve(undefined);
        try {
          renameSync(mine, file);
        } catch (thrown) {
          if (hasCode(thrown, "ENOENT")) return Promise.resolve(undefined);
          throw thrown;
        }
        crashPoint("lock.taken-over");
        return Promise.resolve({ before: again.holder });
      });
      if (taken !== undefined) {
        removeUnused(file);
        return taken;
      }
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Who holds the lock, and whether that process is dead. A file that says nothing is nobody's. */
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

/** Removes what processes left that were killed while they tried to take this lock. */
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

/** The locks that are held, and whether their process is still there. */
export function heldLocks(
  runFolder: string,
): (LockHolder & { dead: boolean })[] {
  let names: string[];
  try {
    names = readdirSync(runFolder);
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT")) return [];
    throw thrown;
  }
  return names
    .filter((name) => name.endsWith(".pid") && !name.startsWith("."))
    .flatMap((name) => {
      const found = lookAt(join(runFolder, name));
      return found === "gone" || found.holder === null
        ? []
        : [{ ...found.holder, dead: found.dead }];
    });
}

function readHolder(file: string): LockHolder | undefined {
  const text = readFileSync(file, "utf8");
  try {
    const holder = JSON.parse(text) as Partial<LockHolder> | null;
    return typeof holder?.pid === "number" && typeof holder.since === "string"
      ? (holder as LockHolder)
      : undefined;
  } catch {
    return undefined; // the power failed before it was on disk, or a person made it
  }
}

function isSame(found: LockHolder | null, holder: LockHolder): boolean {
  return JSON.stringify(found) === JSON.stringify(holder);
}

function hasCode(thrown: unknown, code: string): boolean {
  return (thrown as NodeJS.ErrnoException).code === code;
}
