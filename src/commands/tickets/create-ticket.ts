import {
  collectPath,
  comingMomentArgument,
  wholeNumber,
} from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import type { Plan } from "../../lib/domain/plan.ts";
import type { CreateRequest } from "../../lib/tickets/ticket-system.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

interface Options {
  title: string;
  description: string;
  bug?: string;
  owner?: string;
  sources: string[];
  wait?: boolean;
  add?: string[];
  remove?: string[];
  series?: string;
  baseImage?: string;
  priority: number;
  eta?: string;
}

export const command: Command<Options, Plan> = {
  changes: true,
  locks: [{ name: "create-ticket", patient: true }],
  define: (command) =>
    command
      .requiredOption("-t, --title <title>", "ticket title")
      .option("-d, --description <text>", "ticket description", "")
      .option("-b, --bug <bug>", "related bug: a number or a URL")
      .option(
        "-o, --owner <email>",
        "email address of the owner (default: the .changes' Changed-By)",
      )
      .requiredOption(
        "-s, --sources <file>",
        "a _source.changes, its files beside it; repeatable",
        collectPath,
      )
      .option(
        "-w, --wait",
        "do not queue the ticket for processing (default: no)",
      )
      .option(
        "--add <package...>",
        "binary packages to add to the image (default: all that the sources build)",
      )
      .option(
        "--remove <package...>",
        "binary packages to remove from the image (default: none)",
      )
      .option(
        "--series <series>",
        "series to build for (default: the .changes' Distribution)",
      )
      .option(
        "--base-image <ref>",
        "base to start the image from (default: the series' own)",
      )
      .option("--priority <number>", "higher goes first", wholeNumber, 0)
      .option(
        "--eta <date>",
        "when you expect it to land: a date, or a time from now such as 7d (default: not said)",
        comingMomentArgument,
      ),
  examples: [
    'create_ticket -t "hello: new upstream" -s ../hello_2.10-4_source.changes',
    `create_ticket -t "libfoo transition" -b 12345 -o dev@example.com \\
      -s libfoo_2.0-1_source.changes -s foo-tools_1.1-1_source.changes --priority 5`,
  ],
  whenInterrupted: "there is a ticket only if its number was printed",
  reads: ({ sources }) => sources,
  async plan(context, options) {
    const tickets = await context.tickets();
    const actions = await tickets.planCreate(requestOf(context, options));
    return { command: "create_ticket", actions };
  },
  async run(context, options) {
    const tickets = await context.tickets();
    const ticket = await tickets.create(requestOf(context, options));
    if (ticket.set_aside !== null)
      context.warn(
        advice`ticket ${ticket.id} is set aside: ${ticket.waiting_for ?? ""}; ${remedy("explain", [ticket.id])} says what helps`,
      );
    else
      context.say(
        advice`ticket ${ticket.id} is ${options.wait === true ? "held" : "queued"}: ${remedy("status", [ticket.id])}`,
      );
    return { text: String(ticket.id), value: { ticket } };
  },
};

function requestOf(context: CommandContext, options: Options): CreateRequest {
  return {
    title: options.title,
    description: options.description,
    bug: options.bug ?? null,
    owner: options.owner ?? null,
    sources: options.sources.map(context.readable),
    wait: options.wait === true,
    add: options.add ?? [],
    remove: options.remove ?? [],
    series: options.series ?? null,
    baseImage: options.baseImage ?? null,
    priority: options.priority,
    eta: options.eta ?? null,
  };
}
