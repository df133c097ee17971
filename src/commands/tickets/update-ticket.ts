import {
  comingMomentArgument,
  ticketNumber,
  wholeNumber,
} from "../../cli/arguments.ts";
import { refused } from "../../lib/domain/error.ts";
import type { Command } from "../../cli/command.ts";
import type { TicketPlan } from "../../lib/domain/plan.ts";
import type { UpdateRequest } from "../../lib/tickets/ticket-system.ts";

interface Options extends Omit<UpdateRequest, "eta" | "hold"> {
  /** A moment, or "none". */
  readonly eta?: string;
  readonly ticket: number;
  readonly queue?: true;
  readonly hold?: true;
}

export const command: Command<Options, TicketPlan> = {
  changes: true,
  locks: [{ name: "update-ticket", patient: true }],
  define: (command) =>
    command
      .argument("<ticket>", "number of the ticket", ticketNumber)
      .option("-t, --title <title>", "new title (default: as it is)")
      .option("-d, --description <text>", "new description (default: as it is)")
      .option(
        "-b, --bug <bug>",
        "related bug: a number or a URL (default: as it is)",
      )
      .option(
        "-o, --owner <email>",
        "email address of the new owner (default: as it is)",
      )
      .option(
        "--add <package...>",
        "binary packages to add to the image; before it starts (default: as they are)",
      )
      .option(
        "--remove <package...>",
        "binary packages to remove from the image; before it starts (default: as they are)",
      )
      .option(
        "--priority <number>",
        "higher goes first; before it starts (default: as it is)",
        wholeNumber,
      )
      .option(
        "--eta <date>",
        "when you expect it to land: a date, a time from now such as 7d, or none (default: as it is)",
        (text) => (text === "none" ? text : comingMomentArgument(text)),
      )
      .option("--queue", "queue a ticket that is held (default: no)")
      .option("--hold", "hold a ticket that has not started (default: no)"),
  examples: [
    "update_ticket 7 --queue",
    "update_ticket 7 --eta 2027-03-01",
    'update_ticket 7 -t "hello: fix the greeting" -b https://bugs.example.org/123',
  ],
  check(options) {
    if (options.queue === true && options.hold === true)
      throw refused("--queue and --hold exclude each other");
  },
  plan: async (context, options) =>
    (await context.tickets()).planUpdate(...asked(options)),
  async run(context, options) {
    const tickets = await context.tickets();
    const ticket = await tickets.update(...asked(options));
    return { text: `ticket ${ticket.id} was changed`, value: { ticket } };
  },
};

/** The ticket and the changes asked for. @throws UbuntuCiError (2) when there are none */
function asked({
  ticket,
  queue,
  hold,
  eta,
  ...rest
}: Options): readonly [number, UpdateRequest] {
  const request = {
    ...rest,
    ...(eta !== undefined && { eta: eta === "none" ? null : eta }),
    ...((queue === true || hold === true) && { hold: hold === true }),
  };
  if (Object.keys(request).length === 0)
    throw refused(
      "nothing to change was named",
      "update_ticket --help lists what can be",
    );
  return [ticket, request];
}
