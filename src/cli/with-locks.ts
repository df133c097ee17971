import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { isThere } from "../lib/files/optional-file.ts";
import { warnPerson } from "../lib/host/cron-mail.ts";
import type { LockHolder } from "../lib/locks/lock-holder.ts";
import {
  deadInWords,
  holderInWords,
  oldLock,
} from "../lib/locks/lock-holder.ts";
import { readMaintenance } from "../lib/locks/maintenance.ts";
import type { CommandLock } from "./command.ts";
import type { CommandContext } from "./context.ts";
import {
  logAside,
  stopInMaintenance,
} from "../lib/upkeep/maintenance-guard.ts";

/**
 * Runs a changing command under its locks, unless maintenance forbids it. A patient lock waits a while
 * for its holder, since many people create tickets at once. A lock with slots allows that many holders.
 *
 * @throws UbuntuCiError (75) in maintenance, or when another copy runs
 */
export async function withLocks<T>(
  context: CommandContext,
  [first, ...others]: readonly CommandLock[],
  inMaintenance: boolean,
  work: () => Promise<T>,
): Promise<T> {
  if (first === undefined) return work();
  return withCommandLock(context, first, inMaintenance, () =>
    withLocks(context, others, inMaintenance, work),
  );
}

async function withCommandLock<T>(
  context: CommandContext,
  lock: CommandLock,
  inMaintenance: boolean,
  work: () => Promise<T>,
): Promise<T> {
  const { LockHeld, withLock } = await import("../lib/locks/lock.ts");
  const { name } = lock;
  const { run } = context.paths;
  let takenOver: string | undefined;
  const tookOver = (dead: LockHolder | null) => {
    takenOver = deadInWords(dead);
    context.say(`took over the lock ${dead?.name ?? name}: ${takenOver}`);
  };
  const guarded = async () => {
    // Checked again under the lock: once maintenance is on and no lock is held, nothing can start any
    // more.
    if (!inMaintenance)
      await stopInMaintenance(context.paths, context.actor, name);
    if (takenOver !== undefined) await recordTakeOver(context, name, takenOver);
    return work();
  };
  const slots = lock.slots === undefined ? 1 : context.config.get(lock.slots);
  try {
    if (slots > 1) {
      const { withOneOfLocks } = await import("../lib/locks/lock-slots.ts");
      return await withOneOfLocks(run, name, slots, tookOver, guarded);
    }
    return await withLock(run, name, tookOver, guarded, lock);
  } catch (thrown) {
    if (thrown instanceof LockHeld)
      await tellHeld(context, name, thrown.holder);
    throw thrown;
  }
}

async function recordTakeOver(
  { paths, actor }: CommandContext,
  name: string,
  why: string,
): Promise<void> {
  const { openCurrentDatabase, openDatabase } =
    await import("../lib/state/database.ts");
  const { recordEvent } = await import("../lib/state/events.ts");
  const db =
    // A killed `init` may have left a state file without tables, which only `init` makes whole.
    name !== "init" &&
    readMaintenance(paths.maintenance) === null &&
    isThere(paths.database)
      ? openDatabase(paths.database)
      : openCurrentDatabase(paths.database);
  if (db === undefined) return;
  recordEvent(db, {
    actor,
    subject: "lock",
    subject_id: name,
    what: "taken over",
    why,
  });
  db.close();
}

/** Reports that another copy holds the lock. One that seems to hang is a warning, and once an event. */
async function tellHeld(
  { paths, actor, config }: CommandContext,
  name: string,
  holder: LockHolder,
): Promise<void> {
  const warning = oldLock(holder, config.get("lock.warnAfterMinutes"));
  if (warning !== null) {
    warnPerson(`warning: ${warning}`);
    const { recordOldLock } = await import("../lib/state/old-locks.ts");
    const { openCurrentDatabase } = await import("../lib/state/database.ts");
    const db = openCurrentDatabase(paths.database);
    if (db !== undefined) {
      recordOldLock(db, actor, holder, warning);
      db.close();
    }
    return;
  }
  if (!isFirstRefusal(paths.run, name, holder)) return;
  await logAside(paths, actor, "lock", name, [
    {
      what: "second copy",
      why: `left at once: ${holderInWords(holder)} runs: ${holder.command}`,
    },
  ]);
}

/** Whether this is the first refusal by this holder: one line in the log is enough. */
function isFirstRefusal(
  runFolder: string,
  name: string,
  holder: LockHolder,
): boolean {
  const file = join(runFolder, `${name}.refused`);
  const whose = holderInWords(holder);
  if (existsSync(file) && readFileSync(file, "utf8") === whose) return false;
  writeFileSync(file, whose);
  return true;
}
