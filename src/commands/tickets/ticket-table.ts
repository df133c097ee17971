import type { Ticket } from "../../lib/domain/ticket.ts";
import { table } from "../../cli/columns.ts";

/** Tickets as a table, newest last. */
export function ticketTable(tickets: readonly Ticket[]): string {
  if (tickets.length === 0) return "no tickets";
  const rows = tickets.map((ticket) => [
    String(ticket.id),
    ticket.status,
    ticket.step.name,
    ticket.subtickets
      .map(({ source, version }) => `${source} ${version}`)
      .join(", "),
    ticket.owner,
    ticket.title,
  ]);
  return table([
    ["#", "status", "step", "source packages", "owner", "title"],
    ...rows,
  ]);
}
