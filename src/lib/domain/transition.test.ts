import { describe, expect, test } from "vitest";

import type { AtWork, Ended } from "./transition.ts";
import { stepAfter, transitionAfter } from "./transition.ts";

const nowMs = Date.parse("2026-01-01T12:00:00.000Z");

const after = (end: Partial<Ended>, ticket: Partial<AtWork> = {}) =>
  transitionAfter(
    { step: 200, resume: null, tmpfails: 0, cancelled: false, ...ticket },
    { outcome: "tmpfail", reason: "no space", ...end },
    { limit: 3, firstDelaySeconds: 60 },
    nowMs,
  );

describe("the step after one that has passed", () => {
  test.each([
    [100, null, 200],
    [100, 100, 200],
    [100, 400, 400],
    [200, 400, 300],
    [500, null, 1000],
  ] as const)("%i, to go on at %s: %i", (step, resume, next) => {
    expect(stepAfter(step, resume)).toBe(next);
  });
});

describe("what comes after a run", () => {
  test("that passed: the next step", () => {
    expect(after({ outcome: "passed" })).toEqual({ kind: "goOn", to: 300 });
  });

  test("that failed: the end, and the package is at fault", () => {
    expect(after({ outcome: "failed", reason: "broken" })).toEqual({
      kind: "fail",
      blame: "package",
      reason: "broken",
    });
  });

  test("that failed for a reason of ours: another attempt, later each time", () => {
    expect(after({}, { tmpfails: 1 })).toEqual({
      kind: "tryAgain",
      failures: 2,
      at: "2026-01-01T12:02:00.000Z",
      waitingFor: "retry 2 of 3: no space",
    });
    expect(after({ retryAtOnce: true })).toMatchObject({ at: null });
  });

  test("that failed so too often: the end, and infrastructure is to blame", () => {
    expect(after({}, { tmpfails: 3 })).toEqual({
      kind: "fail",
      blame: "infrastructure",
      reason: "no space (4 attempts)",
    });
  });

  test("of a publication, never the end before it is known whether it happened", () => {
    const last = { step: 500, tmpfails: 3 } as const;
    expect(after({}, last)).toMatchObject({ kind: "tryAgain", failures: 4 });
    expect(after({ unpublished: true }, last)).toMatchObject({ kind: "fail" });
    const cancelled = { step: 500, cancelled: true } as const;
    expect(after({}, cancelled)).toEqual({ kind: "lookUp" });
    expect(after({ unpublished: true }, cancelled).kind).toBe("cancelled");
    expect(after({ outcome: "passed" }, cancelled).kind).toBe("goOn");
  });

  test("that could not begin: waiting, which is no failure", () => {
    expect(after({ waitFor: "no PPA" }, { tmpfails: 3 })).toEqual({
      kind: "wait",
      for: "no PPA",
    });
  });

  test("whose job is pending: another look, in a day at the latest", () => {
    const lookAgainAt = "2026-01-01T13:00:00.000Z";
    expect(after({ outcome: "pending", lookAgainAt })).toEqual({
      kind: "lookAgain",
      at: lookAgainAt,
    });
    const never = "2027-01-01T00:00:00.000Z";
    expect(after({ outcome: "pending", lookAgainAt: never })).toEqual({
      kind: "lookAgain",
      at: "2026-01-02T12:00:00.000Z",
    });
  });

  test.each(["passed", "failed", "tmpfail", "pending"] as const)(
    "that was cancelled: %s is the end",
    (outcome) => {
      expect(after({ outcome }, { cancelled: true }).kind).toBe("cancelled");
    },
  );
});
