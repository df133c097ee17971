import type { Plan, TicketPlan } from "../lib/domain/plan.ts";
import { textOfLines } from "../lib/domain/shown-text.ts";
import type { Result } from "./command.ts";

/** Renders a plan for people. */
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

/** A plan as `--dry-run` prints it: text, or a JSON document. */
export function describePlan(plan: Plan | TicketPlan): Result {
  return { text: planText(plan), value: { plan } };
}
