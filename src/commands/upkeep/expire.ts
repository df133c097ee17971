import { textOfLines } from "../../lib/domain/shown-text.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .addHelpText(
        "after",
        `
Removes what the policy (\`expire.*\` in the configuration) says, and what killed processes left. The
newest landed ticket of every source package keeps all it has.

Examples:
  ubuntu-ci expire --dry-run
  ubuntu-ci expire`,
      )
      .action(async () => {
        const context = await makeContext();
        const { describeExpiry, expire, planExpiry } =
          await import("../../lib/upkeep/expire.ts");
        const engine = await context.engine();
        if (context.options.dryRun === true) {
          const plan = await planExpiry(engine);
          const lines = describeExpiry(plan).map((text) => `remove ${text}`);
          context.result(textOfLines(lines) || "nothing to do", { plan });
          return;
        }
        const plan = await withCommandLock(
          context,
          "expire",
          async () => {
            const found = await planExpiry(engine);
            await expire(engine, found);
            return found;
          },
          { patient: true },
        );
        for (const line of describeExpiry(plan)) context.say(`removed ${line}`);
        context.result("", { expired: plan });
      });
  },
};
