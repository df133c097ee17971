import { ticketNumber } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";

export const command: Command<{ ticket: number }> = {
  speaksTo: "tickets",
  changes: false,
  define: (command) =>
    command.argument("<ticket>", "number of the ticket", ticketNumber),
  examples: ["explain 7", "explain 7 --json"],
  async run(context, { ticket }) {
    const tickets = await context.tickets();
    const { withExactCommands } = await import("../../cli/exact-command.ts");
    const { explanationText } = await import("./explanation-text.ts");
    const explanation = withExactCommands(
      await tickets.explain(ticket),
      context.options,
    );
    return { text: explanationText(explanation), value: explanation };
  },
};
