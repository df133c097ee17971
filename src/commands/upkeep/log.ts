import {
  momentArgument,
  ticketNumber,
  wholeNumber,
} from "../../cli/arguments.ts";
import type { CommandModule } from "../../cli/command.ts";
import type { LogOptions } from "./log-work.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument(
        "[ticket]",
        "what happened to this ticket (default: to everything)",
        ticketNumber,
      )
      .option("-f, --follow", "go on with what happens now (default: no)")
      .option(
        "--since <when>",
        "from then on: a date, a date and time (UTC), or 30min, 2h, 3d ago (default: from the beginning)",
        momentArgument,
      )
      .option(
        "-n, --lines <number>",
        "at most so many, the newest (default: 50, with a ticket or --since all)",
        wholeNumber,
      )
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci log 7\n  ubuntu-ci log --follow\n  ubuntu-ci log --since 2h --json",
      )
      .action(async (ticket: number | undefined, options: LogOptions) => {
        const context = await makeContext();
        const { showLog } = await import("./log-work.ts");
        await showLog(context, ticket, options);
      });
  },
};
