import { setTimeout } from "node:timers/promises";

import { notNow } from "../domain/error.ts";
import { heldLocks } from "./lock.ts";

const lookEveryMs = 200;

/**
 * Returns when no other process holds a lock. With maintenance on, no command starts afterwards, since
 * each checks for maintenance again once it has its lock.
 *
 * @param options.limitMs milliseconds to wait at most; unlimited by default
 * @param options.waiting called with the processes that are waited for, each time they change
 * @throws UbuntuCiError (75) naming the processes that still run after that time
 * @throws AbortError when the signal fires
 */
export async function waitUntilIdle(
  runFolder: string,
  options: {
    readonly signal: AbortSignal;
    readonly limitMs?: number;
    readonly waiting?: (who: string) => void;
  },
): Promise<void> {
  const begun = performance.now();
  let told = "";
  for (;;) {
    const who = heldLocks(runFolder)
      .filter(({ pid, dead }) => !dead && pid !== process.pid)
      .map(({ name, pid, since }) => `${name} (process ${pid} since ${since})`)
      .join(", ");
    if (who === "") return;
    if (who !== told) options.waiting?.(who);
    told = who;
    if (performance.now() - begun >= (options.limitMs ?? Infinity))
      throw notNow(
        `still running: ${who}`,
        "wait longer, or end it: what was not finished is done again",
      );
    await setTimeout(lookEveryMs, undefined, { signal: options.signal });
  }
}
