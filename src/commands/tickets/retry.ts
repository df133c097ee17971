import type { Step } from "../../lib/domain/step.ts";
import { ticketNumber, workStepArgument } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { RetryPlan } from "../../lib/domain/retry.ts";

export const command: Command<{ ticket: number; from?: Step }, RetryPlan> = {
  changes: true,
  locks: [{ name: "retry", patient: true }],
  define: (command) =>
    command
      .argument("<ticket>", "number of the ticket", ticketNumber)
      .option(
        "--from <step>",
        "the step to go on at, by code, name or command (default: the one it failed at)",
        workStepArgument,
      ),
  examples: ["retry 7", "retry 7 --from build-source"],
  plan: async (context, { ticket, from }) =>
    (await context.tickets()).planRetry(ticket, from),
  async run(context, { ticket, from }) {
    const tickets = await context.tickets();
    const plan = await tickets.retry(ticket, from);
    return {
      text: `ticket ${ticket} ${plan.done}`,
      value: { plan, ticket: await tickets.get(ticket) },
    };
  },
};
