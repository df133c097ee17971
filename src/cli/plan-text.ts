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

/**
 * What `--dry-run` prints of a plan: text, or a JSON document, in which it is always one object. A plan
 * for several tickets lists those of each in `tickets`.
 *
 * @param command the command's name, for when there is nothing to do or there are several tickets
 */
export function describePlan(planned: Planned, command: string): Result {
  if (planned === null)
    return { text: "nothing to do", value: { plan: { command, actions: [] } } };
  if ("command" in planned)
    return { text: planText(planned), value: { plan: planned } };
  const actions = planned.flatMap((plan) =>
    plan.actions.map((action) => `ticket ${plan.ticket}: ${action}`),
  );
  return {
    text: planned.map(planText).join("\n") || "nothing to do",
    value: { plan: { command, actions, tickets: planned } },
  };
}
