import { expect, test } from "vitest";

import { sampleTicket as ticket } from "../../../test/support/ticket.ts";
import { plainText } from "../../lib/host/output.ts";
import { colouredTable, colouredTicket } from "./coloured.ts";
import { ticketTable } from "./ticket-table.ts";
import { ticketInFull } from "./ticket-text.ts";

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

const step = { code: 400, name: "Image Testing" } as const;
const long = ticket({
  id: 7,
  title: "a title that is rather long for a terminal of sixty columns",
  status: "failed",
  runs: [
    {
      step,
      attempt: 1,
      outcome: "failed",
      started_at: "2026-01-01T10:00:00.123Z",
      finished_at: "2026-01-01T11:05:00.456Z",
      reason: "hello: the test smoke failed because of something long to tell",
      evidence: null,
      stages: {},
    },
  ],
});

test("a ticket in full keeps to the terminal's width, in whole words", () => {
  const text = ticketInFull(long, String, 60);
  const lines = text.split("\n");
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(
    60,
  );
  expect(text).toContain(
    "  Image Testing  failed  1h05m  2026-01-01 10:00:00Z  hello:\n      the test",
  );
  expect(ticketInFull(long, String)).toContain(long.title);
});

test("a cancelled ticket has not failed", () => {
  const cancelled = ticket({
    status: "cancelled",
    step: { code: 999, name: "Failed" },
    resume_step: step,
    cancelled: { at: "2026-01-01T00:00:00.000Z", by: "ops@ci", reason: null },
  });
  expect(ticketTable([cancelled])).toMatch(/cancelled +Cancelled/);
  const text = ticketInFull(cancelled, String);
  expect(text).toContain("\n  cancelled at Image Testing\n");
  expect(text).not.toContain("Failed");
});

test("a ticket in full in colour is the same text", async () => {
  const text = ticketInFull(long, String);
  const shown = await colouredTicket(text, long);
  expect(plainText(shown)).toBe(text);
  expect(shown).toContainEqual(expect.objectContaining({ text: "failed" }));
});
