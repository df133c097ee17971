import { refuseInMaintenance } from "../lib/host/maintenance.ts";
import type { LockHolder } from "../lib/host/lock.ts";
import type { CommandContext } from "./context.ts";

/**
 * Runs what a changing command does: not in maintenance, and holding the lock of its name. Many
 * people create tickets at once: a patient command waits for the other copy a while. Of a command with
 * slots that many copies may run.
 *
 * @throws UbuntuCiError (75) in maintenance, or when another copy runs
 */
export async function changing<T>(
  context: CommandContext,
  name: string,
  work: () => Promise<T>,
  options: { readonly patient?: boolean; readonly slots?: number } = {},
): Promise<T> {
  refuseInMaintenance(context.paths.maintenance);
  const tookOver = (dead: LockHolder) =>
    context.say(
      `took over the lock of process ${dead.pid}, which is gone (held since ${dead.since})`,
    );
  const { slots = 1 } = options;
  if (slots > 1) {
    const { withOneOfLocks } = await import("../lib/host/lock-slots.ts");
    return withOneOfLocks(context.paths.run, name, slots, tookOver, work);
  }
  const { withLock } = await import("../lib/host/lock.ts");
  return withLock(context.paths.run, name, tookOver, work, options);
}
