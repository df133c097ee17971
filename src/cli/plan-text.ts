import type { Plan, TicketPlan } from "../lib/domain/plan.ts";
import { textOfLines } from "../lib/domain/shown-text.ts";
import type { CommandContext } from "./context.ts";

/** A plan as `--dry-run` prints it. */
export function planText(plan: Plan | TicketPlan): string {
  if (!("ticket" in plan))
    return plan.actions.length === 0
      ? "nothing to do"
      : textOfLines(plan.actions);
  return textOfLines([
    `ticket ${plan.ticket}: ${plan.command}`,
    ...plan.actions.map((line) => `  ${line}`),
  ]);
}

/** What `--dry-run` prints: the plan, as text or as a document. */
export function showPlan(
  context: Pick<CommandContext, "result">,
  plan: Plan | TicketPlan,
): void {
  context.result(planText(plan), { plan });
}
