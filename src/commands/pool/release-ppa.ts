import type { Plan } from "../../lib/domain/plan.ts";
import { ticketNumber } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";

export const command: Command<{ ticket?: number }, Plan> = {
  changes: true,
  locks: [{ name: "release-ppa" }],
  define: (command) =>
    command.option(
      "--ticket <number>",
      "release this ticket's PPA alone (default: those of all ended tickets)",
      ticketNumber,
    ),
  examples: ["release-ppa", "release-ppa --ticket 7"],
  async plan(context, { ticket }) {
    const { releasable } = await import("../../lib/state/ppas.ts");
    const db = await context.db();
    await requireTicket(context, ticket);
    return planOf(releasable(db, ticket));
  },
  async run(context, { ticket }) {
    const { releaseEnded } = await import("../../lib/state/ppas.ts");
    const db = await context.db();
    await requireTicket(context, ticket);
    const released = releaseEnded(db, ticket, context.actor);
    return {
      text: released.join("\n"),
      value: { plan: planOf(released), released },
    };
  },
};

function planOf(names: readonly string[]): Plan {
  return {
    command: "release-ppa",
    actions: names.map((name) => `release ${name}`),
  };
}

/** @throws UbuntuCiError (2) when a ticket is named that does not exist */
async function requireTicket(
  { db }: CommandContext,
  ticket: number | undefined,
): Promise<void> {
  const { getTicket } = await import("../../lib/state/tickets.ts");
  if (ticket !== undefined) getTicket(await db(), ticket);
}
