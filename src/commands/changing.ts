import { refuseInMaintenance } from "../lib/host/maintenance.ts";
import type { CommandContext } from "./context.ts";

/**
 * Runs what a changing command does: not in maintenance, and holding the lock of its name. Many
 * people create tickets at once: a patient command waits for the other copy a while.
 *
 * @throws UbuntuCiError (75) in maintenance, or when another copy runs
 */
export async function changing<T>(
  context: CommandContext,
  name: string,
  work: () => Promise<T>,
  options: { readonly patient?: boolean } = {},
): Promise<T> {
  refuseInMaintenance(context.paths.maintenance);
  const { withLock } = await import("../lib/host/lock.ts");
  return withLock(
    context.paths.run,
    name,
    (dead) =>
      context.say(
        `took over the lock of process ${dead.pid}, which is gone (held since ${dead.since})`,
      ),
    work,
    options,
  );
}
