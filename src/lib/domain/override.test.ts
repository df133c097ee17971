import { describe, expect, test } from "vitest";

import { sampleTicket } from "../../../test/support/ticket.ts";
import {
  endInWords,
  inForce,
  inForceAt,
  overrideToUndo,
  passedOver,
  planOverride,
  verdictOf,
} from "./override.ts";
import { retryAfterOverride } from "./retry-after-override.ts";
import { stepOf } from "./step.ts";
import type { Override, OverrideKind, JudgedTest, Ticket } from "./ticket.ts";
import { remedy } from "./remedy.ts";

const ignore = (
  kind: OverrideKind,
  target: string,
  over: Partial<Override> = {},
): Override => ({
  id: 1,
  kind,
  target,
  reason: "known",
  by: "ops@ci",
  at: "2026-01-01T00:00:00.000Z",
  until: null,
  ended: false,
  undone: null,
  ...over,
});
const now = "2026-01-03T00:00:00.000Z";
const undone = { at: "2026-01-02T00:00:00.000Z", by: "ops@ci" };
const failedTest = (name: string): JudgedTest => ({
  package: "hello",
  name,
  result: "fail",
  seconds: 1,
  detail: "",
  verdict: null,
});
test("a failed test is infrastructure's where its run was, and known where it is ignored", () => {
  const override = {
    id: 1,
    kind: "test",
    target: "hello/smoke",
    reason: "known",
    by: "ops@ci",
    at: "2026-01-01T00:00:00.000Z",
    until: null,
    ended: false,
    undone: null,
  } as const;
  const failed = {
    package: "hello",
    name: "smoke",
    result: "fail",
    seconds: 1,
    detail: "",
  } as const;
  expect(verdictOf(failed, "failed", [])).toBeNull();
  expect(verdictOf(failed, "tmpfail", [])).toBe("infrastructure");
  expect(verdictOf(failed, "passed", [override])).toBe("known");
  expect(verdictOf({ ...failed, result: "pass" }, "tmpfail", [])).toBeNull();
});

describe("steps", () => {
  const has = { image: true, architecture: "amd64" };

  test("an ignored step is passed over, saying why and by whom", () => {
    const overrides = [ignore("step", "run-tests")];
    expect(passedOver(overrides, 400, has)).toBe("ignored: known (by ops@ci)");
    expect(passedOver(overrides, 300, has)).toBeNull();
  });

  test("one that was undone counts no more", () => {
    const overrides = [ignore("step", "run-tests", { undone })];
    expect(passedOver(overrides, 400, has)).toBeNull();
  });

  test("without an image there is nothing to test on", () => {
    const without = { ...has, image: false };
    expect(passedOver([ignore("step", "build-image")], 400, without)).toContain(
      "there is no image to test on",
    );
    expect(passedOver([ignore("arch", "amd64")], 400, without)).toContain(
      "there is no image to test on",
    );
    expect(passedOver([], 400, without)).toBeNull();
    expect(passedOver([ignore("step", "build-image")], 400, has)).toBeNull();
  });
});

describe("what may be ignored", () => {
  test("a step goes by its command, however it was named", () => {
    expect(
      planOverride(
        sampleTicket(),
        { kind: "step", target: "Image Testing" },
        "amd64",
        null,
        now,
      ).target,
    ).toEqual({ kind: "step", target: "run-tests" });
  });

  test.each([
    ["step", "tea", "is not a step"],
    ["step", "1000", "is not a step"],
    ["step", "publish", "cannot be ignored"],
    ["arch", "arm64", "is not the architecture of this installation"],
    ["test", "bash/smoke", "has no source package"],
    ["test", "hello/a/b", "does not name a test"],
    ["test", "hello/a b", "does not name a test"],
  ] as const)("ignore-%s %s is refused", (kind, target, message) => {
    expect(() =>
      planOverride(sampleTicket(), { kind, target }, "amd64", null, now),
    ).toThrow(message);
  });

  test("nor what is ignored already, nor on a complete ticket", () => {
    const target = { kind: "test", target: "hello" } as const;
    const there = sampleTicket({ overrides: [ignore("test", "hello")] });
    expect(() => planOverride(there, target, "amd64", null, now)).toThrow(
      "has ignore-test hello already: override 1",
    );
    expect(() =>
      planOverride(
        sampleTicket({ step: stepOf(1000) }),
        target,
        "amd64",
        null,
        now,
      ),
    ).toThrow("is complete");
  });
});

describe("the end of an override", () => {
  const until = "2026-11-01T00:00:00.000Z";

  test("one that is over neither counts nor hinders another", () => {
    const ended = { ...ignore("test", "hello"), until, ended: true };
    expect(inForce([ended])).toEqual([]);
    expect(endInWords(ended)).toBe(`ended ${until}`);
    const ticket = sampleTicket({ overrides: [ended] });
    const target = { kind: "test", target: "hello" } as const;
    const plan = planOverride(ticket, target, "amd64", null, now);
    expect(plan.target).toEqual(target);
  });

  test("it may not have passed already", () => {
    const target = { kind: "test", target: "hello" } as const;
    const plan = (at: string) =>
      planOverride(sampleTicket(), target, "amd64", until, at);
    expect(() => plan(until)).toThrow("has passed already");
    expect(plan("2026-10-31T00:00:00.000Z")).toMatchObject({
      until,
      actions: [
        `record ignore-test hello, in force at the next run and until ${until}`,
      ],
    });
  });

  test("what was in force at a time is told from when it began and how it ended", () => {
    const since = { at: "2026-10-02", ended: true, until: "2026-10-04" };
    const undone = { at: "2026-10-03", by: "op@ci" };
    const both = [
      { ...ignore("test", "hello"), id: 1, ...since },
      { ...ignore("test", "hello"), id: 2, at: "2026-10-01", undone },
    ];
    const at = (day: string) => inForceAt(both, day).map(({ id }) => id);
    expect(["01", "02", "03", "04"].map((day) => at(`2026-10-${day}`))).toEqual(
      [[2], [1, 2], [1], []],
    );
    expect(inForceAt(both, "2026-10-02")).toEqual(
      inForce(inForceAt(both, "2026-10-02")),
    );
  });
});

describe("undo", () => {
  const two = sampleTicket({
    overrides: [
      ignore("step", "run-tests"),
      ignore("test", "hello", { id: 2 }),
    ],
  });

  test("by number, by target, or the only one", () => {
    expect(overrideToUndo(two, 2).id).toBe(2);
    expect(overrideToUndo(two, { kind: "step", target: "400" }).id).toBe(1);
    const one = sampleTicket({ overrides: [ignore("test", "hello")] });
    expect(overrideToUndo(one, null).id).toBe(1);
  });

  test("of several one has to be named; what is undone cannot be undone", () => {
    expect(() => overrideToUndo(two, null)).toThrow("2 overrides in force");
    expect(() => overrideToUndo(sampleTicket(), null)).toThrow("no override");
    const past = sampleTicket({
      overrides: [ignore("test", "hello", { undone })],
    });
    expect(() => overrideToUndo(past, 1)).toThrow("no override 1 in force");
  });
});

describe("the way on after a failure", () => {
  const failed = (over: Partial<Ticket>, code: 200 | 400 | 500 = 400) =>
    sampleTicket({
      step: stepOf(999),
      failure: {
        step: stepOf(code),
        kind: "package",
        reason: "hello 1.0: no",
        artifact: null,
      },
      ...over,
    });

  test("is a retry when all that failed is ignored", () => {
    const tests = [failedTest("a")];
    for (const overrides of [
      [ignore("step", "run-tests")],
      [ignore("test", "hello/a")],
      [ignore("test", "hello")],
      [ignore("arch", "amd64")],
    ])
      expect(retryAfterOverride(failed({ tests, overrides }), "amd64")).toEqual(
        remedy("retry", [1], { from: "run-tests" }),
      );
  });

  test("is none while something else holds the ticket", () => {
    const tests = [failedTest("a"), failedTest("b")];
    const overrides = [ignore("test", "hello/a")];
    expect(
      retryAfterOverride(failed({ tests, overrides }), "amd64"),
    ).toBeNull();
    expect(retryAfterOverride(failed({ overrides }, 200), "amd64")).toBeNull();
    expect(
      retryAfterOverride(
        failed({ overrides: [ignore("arch", "amd64")] }, 500),
        "amd64",
      ),
    ).toBeNull();
    expect(retryAfterOverride(sampleTicket({ overrides }), "amd64")).toBeNull();
  });
});
