import type { Ticket, TicketStatus } from "../../lib/domain/ticket.ts";
import { stepInWords } from "../../lib/domain/ticket.ts";
import { table } from "../../cli/columns.ts";
import type { Coloured } from "../../lib/host/output.ts";

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

/** The table with each status in a colour. */
export async function colouredTable(
  text: string,
  tickets: readonly Ticket[],
): Promise<(string | Coloured)[]> {
  const { default: chalk } = await import("chalk");
  const colours: Partial<Record<TicketStatus, Coloured["colour"]>> = {
    running: chalk.cyan,
    done: chalk.green,
    failed: chalk.red.bold,
    "set-aside": chalk.yellow,
    held: chalk.dim,
    draft: chalk.dim,
    cancelled: chalk.dim,
  };
  const [heading = "", ...rows] = text.split("\n");
  const begin = heading.indexOf("status");
  return [
    { text: heading, colour: chalk.dim },
    ...rows.flatMap((row, index): (string | Coloured)[] => {
      const status = tickets[index]?.status;
      const colour = status === undefined ? undefined : colours[status];
      if (status === undefined || colour === undefined) return [`\n${row}`];
      const end = begin + status.length;
      return [
        `\n${row.slice(0, begin)}`,
        { text: row.slice(begin, end), colour },
        row.slice(end),
      ];
    }),
  ];
}
