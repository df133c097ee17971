import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * Lets signals be noticed during work that never waits by itself, such as a look at each of many rows and
 * files: Node tells of them only between two turns of its event loop.
 *
 * @throws the signal's reason when it was aborted
 */
export async function letSignalsIn(signal: AbortSignal): Promise<void> {
  await nextTurn();
  signal.throwIfAborted();
}
