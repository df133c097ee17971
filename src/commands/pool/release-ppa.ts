import type { Plan } from "../../lib/domain/plan.ts";
import { ticketNumber } from "../../cli/arguments.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { showPlan } from "../../cli/plan-text.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .option(
        "--ticket <number>",
        "release this ticket's PPA alone (default: those of all ended tickets)",
        ticketNumber,
      )
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci release-ppa\n  ubuntu-ci release-ppa --ticket 7",
      )
      .action(async (options: { ticket?: number }) => {
        const context = await makeContext();
        const { releasable, releaseEnded } =
          await import("../../lib/state/ppas.ts");
        const { openDatabase } = await import("../../lib/state/database.ts");
        const { getTicket } = await import("../../lib/state/tickets.ts");
        const db = openDatabase(context.paths.database);
        if (options.ticket !== undefined) getTicket(db, options.ticket);
        if (context.options.dryRun === true) {
          showPlan(context, planOf(releasable(db, options.ticket)));
          return;
        }
        const released = await withCommandLock(context, "release-ppa", () =>
          Promise.resolve(releaseEnded(db, options.ticket, context.actor)),
        );
        context.result(released.join("\n"), {
          plan: planOf(released),
          released,
        });
      });
  },
};

function planOf(names: readonly string[]): Plan {
  return {
    command: "release-ppa",
    actions: names.map((name) => `release ${name}`),
  };
}
