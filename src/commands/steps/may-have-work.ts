import type { WorkStepCode } from "../../lib/domain/step.ts";
import type { CommandContext } from "../../cli/context.ts";

/**
 * Whether there may be work at these steps, from one cheap look at the state: an idle pass should cost
 * little more than starting Node.
 */
export async function mayHaveWork(
  context: CommandContext,
  steps: readonly WorkStepCode[],
  ticket: number | undefined,
): Promise<boolean> {
  if (ticket !== undefined) return true;
  const { hasWork } = await import("../../lib/state/has-work.ts");
  return hasWork(await context.db(), steps, context.config.get("concurrency"));
}
