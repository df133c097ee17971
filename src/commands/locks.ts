import { heldLocks } from "../lib/host/lock.ts";
import type { CommandModule } from "./index.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci locks\n  ubuntu-ci locks --json",
      )
      .action(async () => {
        const context = await makeContext();
        const locks = heldLocks(context.paths.run);
        const lines = locks.map(
          ({ name, pid, host, since, dead }) =>
            `${name}  process ${pid} on ${host}  since ${since}${dead ? "  dead: the next run takes it over" : ""}`,
        );
        context.result(lines.join("\n") || "no locks", { locks });
      });
  },
};
