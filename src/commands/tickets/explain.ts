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
        const { withExactCommands } =
          await import("../../cli/exact-command.ts");
        const { explanationText } = await import("./explanation-text.ts");
        const explanation = withExactCommands(
          await tickets.explain(id),
          context.options,
        );
        context.result(explanationText(explanation), explanation);
        tickets.close();
      });
  },
};
