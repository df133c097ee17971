import { Readable } from "node:stream";

import type { Result } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { shownJson } from "../../lib/domain/shown-text.ts";
import type { Shown } from "../../lib/host/output.ts";
import {
  hasColour,
  printLine,
  printStreamedText,
  terminalWidth,
} from "../../lib/host/output.ts";
import type { TicketDocument } from "../../lib/tickets/ticket-document.ts";
import { ticketTable } from "./ticket-table.ts";

type Pages = AsyncIterable<readonly TicketDocument[]>;

interface TicketPage {
  readonly text: string;
  readonly shown?: Shown;
  readonly value: { readonly tickets: readonly TicketDocument[] };
}

/** Shows tickets; those of many pages as they are read, so that their number needs no memory. */
export async function listTickets(
  context: CommandContext,
  pages: Pages,
): Promise<Result | undefined> {
  const reader = pages[Symbol.asyncIterator]();
  const first = await reader.next();
  const tickets = first.done === true ? [] : first.value;
  const second = await reader.next();
  if (second.done === true) return onePage(tickets);
  const all = joined(tickets, second.value, reader);
  if (context.options.json === true)
    await printStreamedText(Readable.from(jsonOf(all)));
  else if (hasColour("stdout"))
    for await (const { shown, text } of tables(all))
      printLine("stdout", shown ?? text);
  else await printStreamedText(Readable.from(textOf(all)));
  return undefined;
}

async function onePage(
  tickets: readonly TicketDocument[],
): Promise<TicketPage> {
  const text = ticketTable(tickets, terminalWidth("stdout"));
  const value = { tickets };
  if (!hasColour("stdout")) return { text, value };
  const { colouredTable } = await import("./coloured.ts");
  return { text, shown: await colouredTable(text, tickets), value };
}

async function* joined(
  first: readonly TicketDocument[],
  second: readonly TicketDocument[],
  rest: AsyncIterator<readonly TicketDocument[]>,
): Pages {
  yield first;
  yield second;
  yield* { [Symbol.asyncIterator]: () => rest };
}

/** Each page as a table of its own. */
async function* tables(pages: Pages): AsyncIterable<TicketPage> {
  for await (const tickets of pages) yield onePage(tickets);
}

/** One table; its columns are as wide as those who are read together need them. */
async function* textOf(pages: Pages): AsyncGenerator<Buffer> {
  let first = true;
  for await (const { text } of tables(pages)) {
    const rows = first ? text : text.slice(text.indexOf("\n") + 1);
    yield Buffer.from(`${rows}\n`);
    first = false;
  }
}

/** What {@link shownJson} makes of `{ tickets }`. */
async function* jsonOf(pages: Pages): AsyncGenerator<Buffer> {
  let before = '{\n  "tickets": [\n';
  for await (const tickets of pages) {
    const lines = shownJson(tickets, 2).split("\n").slice(1, -1);
    yield Buffer.from(before + lines.map((line) => `  ${line}`).join("\n"));
    before = ",\n";
  }
  yield Buffer.from("\n  ]\n}\n");
}
