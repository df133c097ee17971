import { collectPath, wholeNumber } from "../../cli/arguments.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { showPlan } from "../../cli/plan-text.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

interface Options {
  title: string;
  description: string;
  bug?: string;
  owner?: string;
  sources: string[];
  wait?: boolean;
  add: string[];
  remove: string[];
  series?: string;
  baseImage?: string;
  priority: number;
}

export const command: CommandModule = {
  define(command, makeContext) {
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
        [],
      )
      .option(
        "--remove <package...>",
        "binary packages to remove from the image",
        [],
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
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci create_ticket -t "hello: new upstream" -s ../hello_2.10-4_source.changes
  ubuntu-ci create_ticket -t "libfoo transition" -b 12345 -o dev@example.com \\
      -s libfoo_2.0-1_source.changes -s foo-tools_1.1-1_source.changes --priority 5`,
      )
      .action(async (options: Options) => {
        const context = await makeContext(options.sources);
        const request = {
          title: options.title,
          description: options.description,
          bug: options.bug ?? null,
          owner: options.owner ?? null,
          sources: options.sources.map(context.readable),
          wait: options.wait === true,
          add: options.add,
          remove: options.remove,
          series: options.series ?? null,
          baseImage: options.baseImage ?? null,
          priority: options.priority,
        };
        const tickets = await context.tickets();
        if (context.options.dryRun === true) {
          showPlan(context, {
            command: "create_ticket",
            actions: await tickets.planCreate(request),
          });
          return;
        }
        const ticket = await withCommandLock(
          context,
          "create-ticket",
          () => tickets.create(request),
          { patient: true },
        );
        context.say(
          advice`ticket ${ticket.id} is ${request.wait ? "held" : "queued"}: ${remedy("status", [ticket.id])}`,
        );
        context.result(String(ticket.id), { ticket });
      });
  },
};
