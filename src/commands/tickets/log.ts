import {
  momentArgument,
  ticketNumber,
  wholeNumber,
} from "../../cli/arguments.ts";
import type { LogOptions } from "./show-log.ts";
import type { Command } from "../../cli/command.ts";

export const command: Command<LogOptions> = {
  changes: false,
  define: (command) =>
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
      ),
  endsItself: true,
  // That is how --follow ends.
  whenInterrupted: null,
  examples: ["log 7", "log --follow", "log --since 2h --json"],
  async run(context, options) {
    const { showLog } = await import("./show-log.ts");
    return showLog(context, options);
  },
};
