import { ticketNumber } from "./arguments.ts";
import { oneLine } from "../lib/domain/one-line.ts";
import { changing } from "./changing.ts";
import type { CommandModule } from "./command.ts";
import { showPlan } from "./plan-text.ts";

/** How long to wait for a run to end. It is asked within a second; the rest is its tools' ending. */
const waitMs = 30_000;

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument("<ticket>", "number of the ticket", ticketNumber)
      .option("--reason <text>", "why, for all to read (default: none)")
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci cancel 7
  ubuntu-ci cancel 7 --reason "uploaded by mistake"`,
      )
      .action(async (id: number, { reason }: { reason?: string }) => {
        const said = oneLine(reason ?? "");
        const context = await makeContext();
        const ticket = await (await context.tickets()).get(id);
        const { planCancel } = await import("../lib/domain/cancel.ts");
        if (context.options.dryRun === true) {
          const plan = planCancel(ticket);
          showPlan(context, plan);
          return;
        }
        const { awaitCancelled, cancel } =
          await import("../lib/engine/cancel.ts");
        const engine = await context.engine();
        const plan = await changing(
          context,
          "cancel",
          () => cancel(engine, id, said === "" ? null : said),
          { patient: true },
        );
        for (const line of plan.actions) context.say(`ticket ${id}: ${line}`);
        const { signal } = context;
        const ended = await awaitCancelled(engine, id, waitMs, signal);
        const { notNow, refused } = await import("../lib/domain/error.ts");
        if (ended.step.code === 1000)
          throw refused(
            `ticket ${id} was published before it could be cancelled: archive revision ${ended.archive_revision ?? ""}`,
            "`ubuntu-ci archive revert` goes back to an earlier one",
          );
        if (ended.step.code !== 999)
          throw notNow(
            `ticket ${id} was asked to end and will, but still runs (${ended.step.name})`,
            `\`ubuntu-ci status ${id}\` shows when it has`,
          );
        context.result(`ticket ${id} was cancelled`, { plan, ticket: ended });
      });
  },
};
