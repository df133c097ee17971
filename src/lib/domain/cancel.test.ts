import { expect, test } from "vitest";

import { sampleTicket } from "../../../test/support/ticket.ts";
import { planCancel } from "./cancel.ts";
import { stepOf } from "./step.ts";

test("a waiting ticket ends at once and gives its PPA back", () => {
  const waiting = sampleTicket({ step: stepOf(300), ppa: "ci_pool-001" });
  expect(planCancel(waiting)).toMatchObject({
    kind: "end",
    actions: [
      "end the ticket, which is waiting",
      "give back ci_pool-001, to be emptied",
    ],
  });
});

test("a running one is asked to end", () => {
  const running = sampleTicket({ step: stepOf(200), status: "running" });
  expect(planCancel(running).kind).toBe("ask");
});

test("before publishing is called off, the archive is asked", () => {
  expect(planCancel(sampleTicket({ step: stepOf(500) }))).toMatchObject({
    kind: "ask",
    actions: [
      "look whether the archive has it already",
      "end the ticket as cancelled",
    ],
  });
});

const failure = {
  step: stepOf(400),
  kind: "package",
  reason: "no",
  artifact: null,
} as const;

test.each([
  [{ step: stepOf(1000), archive_revision: 7 }, "ticket 1 is complete"],
  [{ step: stepOf(999), failure }, "it failed at Image Testing"],
  [
    {
      step: stepOf(999),
      cancelled: { at: "2026-01-01T00:00:00.000Z", by: "ops@ci", reason: null },
    },
    "cancelled by ops@ci, at 2026-01-01",
  ],
])("%j cannot be cancelled", (over, message) => {
  expect(() => planCancel(sampleTicket(over))).toThrow(message);
});
