import type { LockHolder } from "./lock.ts";
import { LockHeld, withLock } from "./lock.ts";

/**
 * Runs `work` while holding one of the locks NAME, NAME.2 … NAME.slots: the first that is free.
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
      return await withLock(runFolder, lock, tookOver, () => {
        entered = true;
        return work();
      });
    } catch (thrown) {
      if (entered || !(thrown instanceof LockHeld)) throw thrown;
      refusal ??= thrown;
    }
  }
  throw refusal;
}
