import { ticketNumber } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";

export const command: Command<{ ticket: number }> = {
  changes: false,
  define: (command) =>
    command.argument("<ticket>", "number of the ticket", ticketNumber),
  examples: ["explain 7", "explain 7 --json"],
  async run(context, { ticket }) {
    const tickets = await context.tickets();
    const { explanationText } = await import("./explanation-text.ts");
    const { unblock, commands, ...explanation } = await tickets.explain(ticket);
    const written = {
      ...explanation,
      unblock: unblock === null ? null : context.text(unblock),
      commands: commands.map(({ command, effect }) => ({
        command: context.text(command),
        effect: context.text(effect),
      })),
    };
    return { text: explanationText(written), value: written };
  },
};
