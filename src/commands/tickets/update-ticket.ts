import { ticketNumber, wholeNumber } from "../../cli/arguments.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { refused } from "../../lib/domain/error.ts";

interface Options {
  title?: string;
  description?: string;
  bug?: string;
  owner?: string;
  add?: string[];
  remove?: string[];
  priority?: number;
  queue?: boolean;
  hold?: boolean;
}

export const command: CommandModule = {
  define(command, makeContext) {
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
      .option("--queue", "queue a ticket that is held (default: no)")
      .option("--hold", "hold a ticket that has not started (default: no)")
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci update_ticket 7 --queue
  ubuntu-ci update_ticket 7 -t "hello: fix the greeting" -b https://bugs.example.org/123`,
      )
      .action(async (id: number, options: Options) => {
        const { queue, hold, ...rest } = options;
        if (queue === true && hold === true)
          throw refused("--queue and --hold exclude each other");
        const context = await makeContext();
        const change = {
          ...rest,
          ...(queue === true && { hold: false }),
          ...(hold === true && { hold: true }),
        };
        const fields = pick(change);
        if (Object.keys(fields).length === 0)
          throw refused(
            "nothing to change was named",
            "update_ticket --help lists what can be",
          );
        const tickets = await context.tickets();
        if (context.options.dryRun === true) {
          const { planText } = await import("../../cli/plan-text.ts");
          const plan = await tickets.planUpdate(id, fields);
          context.result(planText(plan), { plan });
          return;
        }
        const ticket = await withCommandLock(
          context,
          "update-ticket",
          () => tickets.update(id, fields),
          { patient: true },
        );
        context.say(`ticket ${ticket.id} was changed`);
        context.result("", { ticket });
      });
  },
};

/** Only what `update_ticket` itself knows: the global options are in the same object. */
function pick(options: Options & { hold?: boolean }) {
  const { title, description, bug, owner, add, remove, priority, hold } =
    options;
  return {
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    ...(bug !== undefined && { bug }),
    ...(owner !== undefined && { owner }),
    ...(add !== undefined && { add }),
    ...(remove !== undefined && { remove }),
    ...(priority !== undefined && { priority }),
    ...(hold !== undefined && { hold }),
  };
}
