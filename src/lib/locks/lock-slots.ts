import type { LockHolder } from "./lock-holder.ts";
import { deadLocks, LockHeld, withLock } from "./lock.ts";

/**
 * Runs `work` while holding the first free one of the locks NAME, NAME.2 … NAME.slots. Also removes the
 * other locks of dead processes, which nobody would take over while few copies run.
 *
 * @throws LockHeld (75) naming the holder of the first lock, when all are held
 */
export async function withOneOfLocks<T>(
  runFolder: string,
  name: string,
  slots: number,
  tookOver: (dead: LockHolder | null) => void,
  work: () => Promise<T>,
): Promise<T> {
  let refusal: unknown;
  for (let slot = 1; slot <= slots; slot += 1) {
    let entered = false as boolean;
    const lock = slot === 1 ? name : `${name}.${slot}`;
    try {
      return await withLock(runFolder, lock, tookOver, async () => {
        entered = true;
        for (const dead of deadSlots(runFolder, name))
          await freeDeadLock(runFolder, dead, tookOver);
        return work();
      });
    } catch (thrown) {
      if (entered || !(thrown instanceof LockHeld)) throw thrown;
      refusal ??= thrown;
    }
  }
  throw refusal;
}

function deadSlots(runFolder: string, name: string): string[] {
  return deadLocks(runFolder).filter(
    (lock) =>
      lock.startsWith(name) && /^(?:\.[0-9]+)?$/.test(lock.slice(name.length)),
  );
}

/** Removes the lock of a dead process, unless another process takes it first. */
export async function freeDeadLock(
  runFolder: string,
  name: string,
  tookOver: (dead: LockHolder | null) => void,
): Promise<void> {
  try {
    await withLock(runFolder, name, tookOver, () => Promise.resolve());
  } catch (thrown) {
    if (!(thrown instanceof LockHeld)) throw thrown;
  }
}
