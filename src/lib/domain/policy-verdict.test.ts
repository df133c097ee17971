import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { ignoredBecause } from "./override.ts";
import { verdictOnTests, verdictOnWork } from "./policy-verdict.ts";
import type { Countable, Finding, Policy, Rule } from "./policy.ts";
import {
  decide,
  defaultPolicy,
  isImageNeeded,
  judge,
  usualCounts,
  usualRule,
} from "./policy.ts";
import type {
  Outcome,
  Override,
  OverrideKind,
  TestResult,
  TestResultKind,
} from "./ticket.ts";

const ticket = { series: "bookworm", sources: ["hello", "sl"] };
const architecture = "amd64";
const ignore = (kind: OverrideKind, target: string): Override => ({
  ...{ id: 1, kind, target, reason: "known", by: "ops@ci" },
  ...{ at: "2026-01-01", until: null, ended: false, undone: null },
});
const ran = (
  name: string,
  result: TestResultKind = "fail",
  detail = "",
): TestResult => ({ package: "hello", name, result, seconds: 1, detail });
const found = (
  result: Finding["result"],
  requirement: Finding["requirement"] = "tests",
  reason: string | null = result === "fail" ? "it broke" : null,
): Finding => ({
  requirement,
  source: requirement === "image" ? "" : "hello",
  ...{ architecture, result, reason },
});
const rule = (
  requirement: Finding["requirement"],
  over: Partial<Omit<Rule, "counts">> & {
    counts?: Partial<Rule["counts"]>;
  } = {},
): Rule => ({
  ...usualRule(requirement),
  ...over,
  counts: { ...usualCounts, ...over.counts },
});
const policy = (...rules: Rule[]): Policy => ({ rules });
const verdict = (
  on: Policy,
  finding: Finding,
  tests: readonly TestResult[] = [],
  ...overrides: Override[]
) => verdictOnTests(on, ticket, finding, tests, overrides);

describe("the default policy", () => {
  test("ignored failures stay failures and don't count", () => {
    const hello = ignore("test", "hello/a");
    expect(verdict(defaultPolicy, found("fail"), [ran("a")], hello)).toEqual({
      outcome: "passed",
      reason: "hello/a ignored: known (by ops@ci)",
      tests: [{ ...ran("a"), state: "waived", detail: ignoredBecause(hello) }],
    });
  });

  test("one failure that counts is enough", () => {
    const both = [ran("a"), ran("b"), ran("c", "flaky")];
    const { outcome, tests } = verdict(
      ...([defaultPolicy, found("fail"), both] as const),
      ignore("test", "hello/a"),
    );
    expect(outcome).toBe("failed");
    expect(tests.map(({ state, detail }) => [state, detail])).toEqual([
      ["waived", "ignored: known (by ops@ci)"],
      ["fail", ""],
      ["pass", ""],
    ]);
  });

  test("a broken package has no failed test: only ignoring all of it covers that", () => {
    const of = (kind: OverrideKind, target: string) =>
      verdict(defaultPolicy, found("fail"), [], ignore(kind, target)).outcome;
    expect(of("test", "hello/a")).toBe("failed");
    expect(of("test", "hello")).toBe("passed");
    expect(of("test", "other")).toBe("failed");
    expect(of("arch", "amd64")).toBe("passed");
    expect(of("arch", "arm64")).toBe("failed");
  });

  test("our own trouble is no result and cannot be ignored", () => {
    const trouble = found("infrastructure", "tests", "disk");
    expect(
      verdict(defaultPolicy, trouble, [], ignore("arch", "amd64")),
    ).toEqual({ outcome: "tmpfail", reason: "disk", tests: [] });
  });

  test("tests are decided about as before there were policies", () => {
    const results = {
      passed: "pass",
      failed: "fail",
      tmpfail: "infrastructure",
    } as const;
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        fc.constantFrom("passed", "failed", "tmpfail"),
        fc.array(
          fc.tuple(
            fc.constantFrom("pass", "fail", "skip", "flaky", "neutral"),
            fc.constantFrom("", "why"),
          ),
          { maxLength: 3 },
        ),
        fc.array(
          fc.constantFrom(
            ...["hello", "hello/t0", "sl"].map((one) => ignore("test", one)),
            ...["amd64", "arm64"].map((one) => ignore("arch", one)),
            ignore("step", "build-image"),
          ),
          { maxLength: 2 },
        ),
        (outcome, kinds, overrides) => {
          const tests = kinds.map(([kind, detail], index) => {
            // autopkgtest passes nothing that has a failed test.
            const isHidden = kind === "fail" && outcome === "passed";
            return ran(`t${index}`, isHidden ? "pass" : kind, detail);
          });
          const reason = outcome === "passed" ? null : "it broke";
          const before = asBefore({ outcome, reason, tests }, overrides);
          const finding = found(results[outcome], "tests", reason);
          const now = verdict(defaultPolicy, finding, tests, ...overrides);
          expect({
            ...now,
            tests: now.tests.map((one) => ({ ...one, state: undefined })),
          }).toEqual(before);
          seen.add(`${outcome} ${before.outcome}`);
        },
      ),
      { numRuns: 3000 },
    );
    expect([...seen].sort()).toEqual([
      "failed failed",
      "failed passed",
      "passed passed",
      "tmpfail tmpfail",
    ]);
  });

  test.each([
    ["pass", [], "passed"],
    ["fail", [], "failed"],
    ["fail", [ignore("arch", "amd64")], "passed"],
    ["fail", [ignore("arch", "arm64")], "failed"],
    ["infrastructure", [ignore("arch", "amd64")], "tmpfail"],
  ] as const)(
    "a build or an image that is found %s, with %j, %s",
    (result, overrides, outcome) => {
      for (const what of ["built", "image"] as const)
        expect(
          verdictOnWork(defaultPolicy, ticket, found(result, what), overrides)
            .outcome,
        ).toBe(outcome);
    },
  );
});

/** How the tests of hello were decided about before there were policies. */
function asBefore(
  verdict: { outcome: Outcome; reason: string | null; tests: TestResult[] },
  overrides: readonly Override[],
) {
  if (verdict.outcome !== "failed") return verdict;
  const that = (kind: OverrideKind, target: string) =>
    overrides.find((one) => one.kind === kind && one.target === target);
  const whole = that("arch", architecture) ?? that("test", "hello");
  const reasons = new Set<string>();
  let counting = 0;
  let failing = 0;
  const tests = verdict.tests.map((one) => {
    if (one.result !== "fail") return one;
    failing += 1;
    const why = whole ?? that("test", `hello/${one.name}`);
    if (why === undefined) {
      counting += 1;
      return one;
    }
    reasons.add(`hello/${one.name} ${ignoredBecause(why)}`);
    const detail = one.detail === "" ? "" : `; ${one.detail}`;
    return { ...one, detail: `${ignoredBecause(why)}${detail}` };
  });
  if (counting > 0 || (failing === 0 && whole === undefined))
    return { ...verdict, tests };
  return {
    outcome: "passed",
    reason:
      reasons.size > 0
        ? [...reasons].join(", ")
        : `hello: ${verdict.reason ?? "failed"}, ${whole === undefined ? "ignored" : ignoredBecause(whole)}`,
    tests,
  };
}

describe("a policy of one's own", () => {
  test("may let flaky count as a failure, and says so", () => {
    const strict = policy(rule("tests", { counts: { flaky: "fail" } }));
    expect(verdict(strict, found("skip"), [ran("a", "flaky")])).toMatchObject({
      outcome: "failed",
      reason: "a: flaky, which the policy counts as fail",
      tests: [{ state: "fail" }],
    });
    expect(
      verdict(
        ...([strict, found("skip"), [ran("a", "flaky")]] as const),
        ignore("test", "hello/a"),
      ),
    ).toMatchObject({ outcome: "passed", tests: [{ state: "waived" }] });
  });

  test("a test that is required by name is missing where it is not, not failed, and a skipped one is there", () => {
    const named = policy(
      rule("tests", { sources: ["hel*"], tests: ["smoke"] }),
      rule("tests"),
    );
    expect(verdict(named, found("pass"), [ran("a", "pass")])).toMatchObject({
      outcome: "missing",
      reason: "smoke: there is no such test",
    });
    expect(verdict(named, found("skip"), [ran("smoke", "skip")]).outcome).toBe(
      "passed",
    );
    expect(
      verdict(
        ...([named, found("neutral")] as const),
        [ran("*", "neutral")],
        ignore("test", "hello/smoke"),
      ).outcome,
    ).toBe("passed");
    expect(
      verdict(named, { ...found("pass"), source: "sl" }, [ran("a", "pass")])
        .outcome,
    ).toBe("passed");
  });

  test("an exempt source is neither stopped by its tests nor by our own trouble", () => {
    const lax = policy(
      rule("tests", { sources: ["hello"], required: false }),
      rule("tests"),
    );
    expect(verdict(lax, found("fail"), [ran("a")])).toMatchObject({
      outcome: "passed",
      reason: "hello: it broke, which the policy does not require",
      tests: [{ result: "fail", state: "pass" }],
    });
    expect(verdict(lax, found("infrastructure")).outcome).toBe("passed");
    const other = { ...found("fail"), source: "sl" };
    expect(verdict(lax, other, [ran("a")]).outcome).toBe("failed");
  });

  test("an image is needed where tests are, whatever the policy says of images", () => {
    const image = found("fail", "image");
    const outcome = (...rules: Rule[]) =>
      verdictOnWork(policy(...rules), ticket, image, []).outcome;
    const helloOnly = rule("tests", { sources: ["sl"] });
    expect(outcome(helloOnly)).toBe("failed");
    expect(
      outcome(rule("image", { counts: { fail: "pass" } }), helloOnly),
    ).toBe("failed");
    expect(outcome(rule("tests", { counts: { missing: "pass" } }))).toBe(
      "passed",
    );
    expect(outcome(rule("image"))).toBe("failed");
    expect(outcome()).toBe("passed");
    expect(isImageNeeded(policy(), ticket, architecture)).toBe(false);
    expect(
      verdictOnWork(policy(), ticket, found("infrastructure", "image"), []),
    ).toMatchObject({ outcome: "tmpfail" });
  });

  test("subjects are told apart by series, architecture and source", () => {
    const of = (over: Partial<Rule>, finding: Partial<Finding> = {}) =>
      judge(
        policy(rule("built", over)),
        ticket,
        { ...found("fail", "built"), ...finding },
        [],
        [],
      ).length;
    expect(of({ series: ["book*"] })).toBe(1);
    expect(of({ series: ["noble"] })).toBe(0);
    expect(of({ architectures: ["arm*"] })).toBe(0);
    expect(of({ architectures: ["arm*"] }, { architecture: "arm64" })).toBe(1);
    expect(of({ sources: ["?ello"] })).toBe(1);
    expect(of({ sources: ["sl"] })).toBe(0);
  });

  test("missing and our own trouble leave a ticket undecided; one failure stops it", () => {
    const of = (...results: Finding["result"][]) =>
      decide(
        results.flatMap((result) =>
          judge(defaultPolicy, ticket, found(result), [], []),
        ),
      );
    const undecided = ["missing", "running", "infrastructure"] as const;
    for (const one of undecided) {
      expect(of("pass", one)).toBe("undecided");
      expect(of(one, "fail")).toBe("stopped");
    }
    expect(of("pass", "neutral", "skip", "flaky")).toBe("through");
    const countable = Object.keys(usualCounts) as Countable[];
    expect(countable).toHaveLength(6);
  });
});
