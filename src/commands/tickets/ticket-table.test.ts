import { expect, test } from "vitest";

import { sampleTicket as ticket } from "../../../test/support/ticket.ts";
import { plainText } from "../../lib/host/output.ts";
import { colouredTable, ticketTable } from "./ticket-table.ts";

test("rows are no longer than the terminal is wide, and whole without one", () => {
  const one = ticket({ title: "a title that is rather long for a table" });
  const rows = ticketTable([one], 60).split("\n");
  expect(Math.max(...rows.map(({ length }) => length))).toBeLessThanOrEqual(60);
  expect(ticketTable([one])).toContain(one.title);
});

test("colour changes nothing but the colour", async () => {
  const tickets = [ticket({ status: "failed" }), ticket({ status: "waiting" })];
  const text = ticketTable(tickets);
  expect(plainText(await colouredTable(text, tickets))).toBe(text);
});
