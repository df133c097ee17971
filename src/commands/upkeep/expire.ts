import type { Command } from "../../cli/command.ts";
import type { ExpiryPlan } from "../../lib/upkeep/expire.ts";
import { expire, planExpiry } from "../../lib/upkeep/expire.ts";

export const command: Command<object, ExpiryPlan> = {
  changes: true,
  locks: [{ name: "expire", patient: true }],
  examples: ["expire --dry-run", "expire"],
  notes: `Removes what the policy (\`expire.*\` in the configuration) says, and what killed processes left. The
newest landed ticket of every source package keeps all it has.`,
  plan: async (context) => planExpiry(await context.engine()),
  async run(context, _options, makePlan) {
    const plan = await makePlan();
    await expire(await context.engine(), plan);
    for (const line of plan.actions)
      context.say(line.replace(/^remove/, "removed"));
    return { value: { expired: plan } };
  },
};
