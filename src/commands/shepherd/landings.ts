import { InvalidArgumentError } from "commander";

import type { Command } from "../../cli/command.ts";
import { refused } from "../../lib/domain/error.ts";
import type { LandingsRequest } from "../../lib/tickets/ticket-system.ts";

export const command: Command<LandingsRequest> = {
  changes: false,
  define: (command) =>
    command
      .option(
        "--series <series>",
        "the series whose landings to show (default: the first that is configured)",
      )
      .option(
        "--all",
        "those before the deployed revision, too, and without a limit (default: no)",
      )
      .option(
        "--limit <number>",
        "at most so many, the newest (default: 100)",
        count,
      ),
  examples: ["landings", "landings --series bookworm --all --json"],
  notes:
    "The deployable revision is the newest in which every landing is ok or untestable.",
  check({ all, limit }) {
    if (all === true && limit !== undefined)
      throw refused("--all and --limit exclude each other");
  },
  async run(context, request) {
    const tickets = await context.tickets();
    const value = await tickets.landings(request);
    const { landingsText } = await import("./landings-text.ts");
    return { text: landingsText(value, context.text), value };
  },
};

function count(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text))
    throw new InvalidArgumentError("It must be a number above 0.");
  return Number(text);
}
