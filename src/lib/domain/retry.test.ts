import { describe, expect, test } from "vitest";

import { sampleTicket } from "../../../test/support/ticket.ts";
import { notYetDue, planRetry, retryDelaySeconds } from "./retry.ts";
import { stepOf } from "./step.ts";
import type { WorkStepCode } from "./step.ts";
import type { Ticket } from "./ticket.ts";
import { advice, remedy } from "./remedy.ts";

const all = { missing: [], sources: true, results: true, image: true };
const failedAt = (code: WorkStepCode, over: Partial<Ticket> = {}) =>
  sampleTicket({
    step: stepOf(999),
    status: "failed",
    failure: {
      step: stepOf(code),
      kind: "package",
      reason: "no",
      artifact: null,
    },
    ...over,
  });
const cancelledAt = (code: WorkStepCode) =>
  sampleTicket({
    step: stepOf(999),
    status: "failed",
    cancelled: { at: "2026-01-01T00:00:00.000Z", by: "ops@ci", reason: null },
    resume_step: stepOf(code),
  });

describe("back-off", () => {
  const policy = { limit: 3, firstDelaySeconds: 60 };

  test("each wait is twice as long as the one before, and a day at most", () => {
    expect([1, 2, 3].map((n) => retryDelaySeconds(policy, n))).toEqual([
      60, 120, 240,
    ]);
    expect(retryDelaySeconds(policy, 99)).toBe(86_400);
  });

  test("a wait longer than any can be was written by a wrong clock", () => {
    expect(notYetDue(Date.parse("2026-01-01T00:00:00.000Z"))).toEqual({
      after: "2026-01-01T00:00:00.000Z",
      until: "2026-01-02T00:00:00.000Z",
    });
  });
});

describe("retry", () => {
  test("goes on at the step that failed, with what was built before", () => {
    expect(planRetry(failedAt(400), undefined, all, [])).toMatchObject({
      resume: 400,
      actions: [
        "queue the ticket for a PPA",
        "fill the PPA with what was built before",
        "go on at Image Testing (run-tests)",
      ],
    });
  });

  test("goes on where a cancelled ticket was, or earlier", () => {
    expect(planRetry(cancelledAt(300), undefined, all, []).resume).toBe(300);
    expect(planRetry(cancelledAt(300), stepOf(200), all, []).resume).toBe(200);
  });

  test("a retry that did not get a PPA still knows where it was going", () => {
    const ticket = failedAt(100, { resume_step: stepOf(400) });
    expect(planRetry(ticket, undefined, all, []).resume).toBe(400);
  });

  test("goes back to the step that makes what is gone", () => {
    const gone = { ...all, image: false };
    expect(planRetry(failedAt(400), undefined, gone, []).resume).toBe(300);
    const nothing = { ...gone, results: false };
    expect(planRetry(failedAt(400), undefined, nothing, []).resume).toBe(200);
    expect(() => planRetry(failedAt(400), stepOf(400), nothing, [])).toThrow(
      "its built packages are gone",
    );
  });

  test("a later step is refused, with the words for going past", () => {
    expect(() => planRetry(failedAt(400), stepOf(500), all, [])).toThrow(
      expect.objectContaining({
        exitCode: 2,
        message:
          "ticket 1 failed at Image Testing (run-tests): it cannot go on at Package Publishing, which comes later",
        hint: advice`${remedy("override", [1], { "ignore-step": "run-tests", reason: "TEXT" })}, then ${remedy("retry", [1])}`,
      }),
    );
    expect(() => planRetry(failedAt(200), stepOf(300), all, [])).toThrow(
      expect.objectContaining({ hint: remedy("retry", [1]) }),
    );
  });

  test("one that waits for its back-off is due at once", () => {
    const waiting = sampleTicket({
      step: stepOf(200),
      retry_at: "2026-01-01T00:05:00.000Z",
    });
    expect(planRetry(waiting, undefined, all, []).resume).toBeNull();
    expect(() => planRetry(waiting, stepOf(100), all, [])).toThrow(
      "waits for its next attempt",
    );
  });

  test.each([
    [sampleTicket(), "has not failed: it waits at Queued"],
    [sampleTicket({ status: "held" }), "is held"],
    [sampleTicket({ status: "running" }), "is being worked on"],
    [sampleTicket({ step: stepOf(1000) }), "is complete"],
  ])("there is nothing to retry", (ticket, message) => {
    expect(() => planRetry(ticket, undefined, all, [])).toThrow(message);
  });

  test("what came meanwhile is in its way", () => {
    expect(() =>
      planRetry(failedAt(400), undefined, all, [
        "hello 1.0 is in flight as ticket 2",
      ]),
    ).toThrow("cannot be retried: hello 1.0 is in flight as ticket 2");
    expect(() =>
      planRetry(failedAt(400), undefined, { ...all, sources: false }, []),
    ).toThrow("source packages are gone");
  });
});
