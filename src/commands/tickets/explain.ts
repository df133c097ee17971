import { ticketNumber } from "../../cli/arguments.ts";
import type { CommandModule } from "../../cli/command.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument("<ticket>", "number of the ticket", ticketNumber)
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci explain 7
  ubuntu-ci explain 7 --json`,
      )
      .action(async (id: number) => {
        const context = await makeContext();
        const tickets = await context.tickets();
        const { explanationText } = await import("./explanation-text.ts");
        const { unblock, commands, ...explanation } = await tickets.explain(id);
        const written = {
          ...explanation,
          unblock: unblock === null ? null : context.text(unblock),
          commands: commands.map(({ command, effect }) => ({
            command: context.text(command),
            effect: context.text(effect),
          })),
        };
        context.result(explanationText(written), written);
        tickets.close();
      });
  },
};
