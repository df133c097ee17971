import type { Plan, Planned, TicketPlan } from "../lib/domain/plan.ts";
import { textOfLines } from "../lib/domain/shown-text.ts";
import type { Result } from "./command.ts";

/** Renders a plan for people. */
export function planText(plan: Plan | TicketPlan): string {
  if (!("ticket" in plan)) return textOfLines(plan.actions) || "nothing to do";
  return textOfLines([
    `ticket ${plan.ticket}: ${plan.command}`,
    ...plan.actions.map((line) => `  ${line}`),
  ]);
}

/** What `--dry-run` prints of a plan: text, or a JSON document. */
export function describePlan(planned: Planned): Result {
  if (planned === null) return { text: "nothing to do", value: { plan: null } };
  if ("command" in planned)
    return { text: planText(planned), value: { plan: planned } };
  return {
    text: planned.map(planText).join("\n") || "nothing to do",
    value: { plans: planned },
  };
}
