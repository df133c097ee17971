import { setTimeout } from "node:timers/promises";

import { notNow } from "../domain/error.ts";
import { heldLocks } from "./lock.ts";

const lookEveryMs = 200;

/**
 * Returns when no other process holds a lock. With maintenance on, nothing starts any more either:
 * every command looks at the toggle again when it has its lock.
 *
 * @param options.limitMs how long to wait at most; without it as long as it takes
 * @param options.waiting told who is waited for, each time that changes
 * @throws UbuntuCiError (75) naming who still runs, when that took too long
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
