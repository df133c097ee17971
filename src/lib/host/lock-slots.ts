import type { LockHolder } from "./lock.ts";
import { heldLocks, LockHeld, withLock } from "./lock.ts";

/**
 * Runs `work` while holding one of the locks NAME, NAME.2 … NAME.slots: the first that is free. The
 * others whose process is dead are taken over and given back: when copies are few, nobody else would.
 *
 * @throws LockHeld (75) saying who holds the first, when all are held
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
        await freeDeadSlots(runFolder, name, tookOver);
        return work();
      });
    } catch (thrown) {
      if (entered || !(thrown instanceof LockHeld)) throw thrown;
      refusal ??= thrown;
    }
  }
  throw refusal;
}

async function freeDeadSlots(
  runFolder: string,
  name: string,
  tookOver: (dead: LockHolder | null) => void,
): Promise<void> {
  for (const held of heldLocks(runFolder)) {
    const slot = held.name.slice(name.length);
    const isSlot = held.name.startsWith(name) && /^(?:\.[0-9]+)?$/.test(slot);
    if (!held.dead || !isSlot) continue;
    try {
      await withLock(runFolder, held.name, tookOver, () => Promise.resolve());
    } catch (thrown) {
      // Another copy was quicker: it is its slot now.
      if (!(thrown instanceof LockHeld)) throw thrown;
    }
  }
}
