import type { Ticket } from "../../lib/domain/ticket.ts";
import { stepInWords } from "../../lib/domain/ticket.ts";
import { table } from "../../cli/columns.ts";

/**
 * Tickets as a table, newest last.
 *
 * @param width columns that a row may have, for which the last ones are cut or left out; without it
 *   rows are as long as they need to be
 */
export function ticketTable(
  tickets: readonly Ticket[],
  width = Infinity,
): string {
  if (tickets.length === 0) return "no tickets";
  const rows = tickets.map((ticket) => [
    String(ticket.id),
    ticket.status,
    stepInWords(ticket),
    ticket.subtickets
      .map(({ source, version }) => `${source} ${version}`)
      .join(", "),
    ticket.owner,
    ticket.title,
  ]);
  return table([
    ["#", "status", "step", "source packages", "owner", "title"],
    ...rows,
  ])
    .split("\n")
    .map((row) => (row.length <= width ? row : `${row.slice(0, width - 1)}…`))
    .join("\n");
}
