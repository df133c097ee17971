import { hasColour, terminalWidth } from "../../lib/host/output.ts";
import { existsSync } from "node:fs";

import type { CommandContext } from "../../cli/context.ts";
import { isRemote } from "../../cli/global-options.ts";
import { refused } from "../../lib/domain/error.ts";
import {
  countArgument,
  stepArgument,
  ticketNumber,
} from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { ListRequest } from "../../lib/tickets/ticket-system.ts";

interface Options extends Omit<ListRequest, "newest"> {
  readonly ticket?: number;
  readonly limit?: number;
}

export const command: Command<Options> = {
  changes: false,
  define: (command) =>
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
      .option(
        "--limit <number>",
        "only so many of the newest (default: all)",
        countArgument,
      ),
  examples: ["status --open", "status --limit 20", "status 7 --json"],
  check({ ticket, ...filters }) {
    if (ticket !== undefined && Object.keys(filters).length > 0)
      throw refused("a ticket's number and filters exclude each other");
  },
  async run(context, { ticket: id, ...filters }) {
    const system = await context.tickets();
    await warnOfMaintenance(context);
    if (id === undefined) {
      const { listTickets } = await import("./list-tickets.ts");
      const { limit, ...wanted } = filters;
      return listTickets(
        context,
        system.list({
          ...wanted,
          ...(limit !== undefined && { newest: limit }),
        }),
      );
    }
    const ticket = await system.get(id);
    const { ticketInFull } = await import("./ticket-text.ts");
    const text = ticketInFull(ticket, context.text, terminalWidth("stdout"));
    const value = { ticket };
    if (!hasColour("stdout")) return { text, value };
    const { colouredTicket } = await import("./coloured.ts");
    return { text, shown: await colouredTicket(text, ticket), value };
  },
};

/** Says why nothing moves, of the installation here. */
async function warnOfMaintenance({
  paths,
  options,
  warn,
}: CommandContext): Promise<void> {
  if (isRemote(options) || !existsSync(paths.maintenance)) return;
  const { maintenanceInWords, readMaintenance } =
    await import("../../lib/locks/maintenance.ts");
  const maintenance = readMaintenance(paths.maintenance);
  if (maintenance !== null)
    warn(`maintenance is ${maintenanceInWords(maintenance)}`);
}
