import type { Command } from "../../cli/command.ts";
import type { ExpiryPlan } from "../../lib/upkeep/expire.ts";
import { expire, planExpiry } from "../../lib/upkeep/expire.ts";

export const command: Command<object, ExpiryPlan> = {
  changes: true,
  locks: [{ name: "expire", patient: true }],
  whenInterrupted: "what was removed is gone; the next expire does the rest",
  examples: ["expire --dry-run", "expire"],
  notes: `Removes what the policy (\`expire.*\` in the configuration) says, and what killed processes left. The
newest landed ticket of every source package keeps all it has.`,
  plan: async (context) => planExpiry(await context.engine()),
  async run(context, _options, makePlan) {
    const plan = await makePlan();
    await expire(await context.engine(), plan, context.signal);
    for (const line of plan.actions)
      context.say(line.replace(/^remove/, "removed"));
    const { length } = plan.actions;
    const text =
      length === 0
        ? "nothing has expired"
        : `expired: ${length} ${length === 1 ? "entry was" : "entries were"} removed`;
    return { text, value: { expired: plan } };
  },
};
