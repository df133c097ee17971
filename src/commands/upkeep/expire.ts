import { textOfLines } from "../../lib/domain/shown-text.ts";
import type { Command } from "../../cli/command.ts";
import type { ExpiryPlan } from "../../lib/upkeep/expire.ts";
import { describeExpiry, expire, planExpiry } from "../../lib/upkeep/expire.ts";

export const command: Command<object, ExpiryPlan> = {
  changes: true,
  locks: [{ name: "expire", patient: true }],
  examples: ["expire --dry-run", "expire"],
  notes: `Removes what the policy (\`expire.*\` in the configuration) says, and what killed processes left. The
newest landed ticket of every source package keeps all it has.`,
  plan: async (context) => planExpiry(await context.engine()),
  describe: (plan) => ({
    text:
      textOfLines(describeExpiry(plan).map((line) => `remove ${line}`)) ||
      "nothing to do",
    value: { plan },
  }),
  async run(context, _options, makePlan) {
    const plan = await makePlan();
    await expire(await context.engine(), plan);
    for (const line of describeExpiry(plan)) context.say(`removed ${line}`);
    return { value: { expired: plan } };
  },
};
