import type { ChalkInstance } from "chalk";

import type { Ticket, TicketStatus } from "../../lib/domain/ticket.ts";
import type { Coloured } from "../../lib/host/output.ts";

type Pieces = readonly (string | Coloured)[];
type Colour = Coloured["colour"];

/** The table of tickets with each status in a colour. */
export async function colouredTable(
  text: string,
  tickets: readonly Ticket[],
): Promise<Pieces> {
  const { default: chalk } = await import("chalk");
  const [heading = "", ...rows] = text.split("\n");
  const begin = heading.indexOf("status");
  return [
    { text: heading, colour: chalk.dim },
    ...rows.flatMap((row, index) => {
      const status = tickets[index]?.status;
      return [
        "\n",
        ...(status === undefined
          ? [row]
          : inColour(row, begin, status, statusColour(chalk, status))),
      ];
    }),
  ];
}

/** How runs and tests end, as rows of a ticket have it, with two spaces before and after. */
const ended =
  / {2}(passed|pass|failed|fail|tmpfail|running|flaky|neutral|skip)(?= {2}|$)/;

/** A ticket in full with its status, its headings, and how its runs and tests ended, in colours. */
export async function colouredTicket(
  text: string,
  { status }: Ticket,
): Promise<Pieces> {
  const { default: chalk } = await import("chalk");
  return text.split("\n").flatMap((line, index): Pieces => {
    const after = index === 0 ? "" : "\n";
    // A heading; nothing else begins at the margin.
    if (!line.startsWith(" "))
      return [after, { text: line, colour: chalk.bold }];
    if (line.startsWith(`  ${status}`, 0) && index < 5)
      return [after, ...inColour(line, 2, status, statusColour(chalk, status))];
    const found = ended.exec(line);
    const how = found?.[1];
    if (found === null || how === undefined) return [after, line];
    const colour = outcomeColour(chalk, how);
    return [after, ...inColour(line, found.index + 2, how, colour)];
  });
}

/** A line in which the text at that place has a colour. */
function inColour(
  line: string,
  begin: number,
  text: string,
  colour: Colour | undefined,
): Pieces {
  if (colour === undefined) return [line];
  return [
    line.slice(0, begin),
    { text, colour },
    line.slice(begin + text.length),
  ];
}

function statusColour(
  chalk: ChalkInstance,
  status: TicketStatus,
): Colour | undefined {
  switch (status) {
    case "running":
      return chalk.cyan;
    case "done":
      return chalk.green;
    case "failed":
      return chalk.red.bold;
    case "set-aside":
      return chalk.yellow;
    case "held":
    case "draft":
    case "cancelled":
      return chalk.dim;
    case "waiting":
      return undefined;
  }
}

function outcomeColour(chalk: ChalkInstance, how: string): Colour {
  if (how.startsWith("pass")) return chalk.green;
  if (how.startsWith("fail")) return chalk.red.bold;
  return how === "running" ? chalk.cyan : chalk.yellow;
}
