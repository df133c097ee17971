import type { Step } from "../../lib/domain/step.ts";
import { refused } from "../../lib/domain/error.ts";
import { stepArgument, ticketNumber } from "../../cli/arguments.ts";
import type { CommandModule } from "../../cli/command.ts";

interface Options {
  step?: Step;
  owner?: string;
  open?: boolean;
}

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument(
        "[ticket]",
        "number of a ticket (default: all tickets)",
        ticketNumber,
      )
      .option(
        "--step <step>",
        "only tickets at this step, by code or name (default: any)",
        stepArgument,
      )
      .option(
        "--owner <email>",
        "only tickets of this owner (default: anybody's)",
      )
      .option(
        "--open",
        "only tickets that are not complete and have not failed (default: no)",
      )
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci status --open
  ubuntu-ci status 7 --json`,
      )
      .action(async (id: number | undefined, options: Options) => {
        const context = await makeContext();
        if (
          id !== undefined &&
          (options.step ?? options.owner ?? options.open) !== undefined
        ) {
          throw refused("a ticket's number and filters exclude each other");
        }
        const tickets = await context.tickets();
        if (id === undefined) {
          const { step, owner, open } = options;
          const list = await tickets.list({
            ...(step !== undefined && { step }),
            ...(owner !== undefined && { owner }),
            ...(open !== undefined && { open }),
          });
          const { ticketTable } = await import("./ticket-table.ts");
          context.result(ticketTable(list), { tickets: list });
        } else {
          const ticket = await tickets.get(id);
          const { ticketInFull } = await import("./ticket-text.ts");
          context.result(ticketInFull(ticket, context.text), { ticket });
        }
        tickets.close();
      });
  },
};
