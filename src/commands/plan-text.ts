import type { TicketPlan } from "../lib/domain/ticket-plan.ts";

/** A plan as `--dry-run` prints it. */
export function planText({ ticket, command, actions }: TicketPlan): string {
  return [
    `ticket ${ticket}: ${command}`,
    ...actions.map((line) => `  ${line}`),
  ].join("\n");
}
