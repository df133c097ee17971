import { matchesGlob } from "./glob.ts";
import {
  ignoredArchitecture,
  ignoredBecause,
  ignoredTest,
} from "./override.ts";
import type { Override, TestResult, TestResultKind } from "./ticket.ts";

/** What a policy can require of a ticket: built packages, an image of them, and their tests. */
export const requirements = ["built", "image", "tests"] as const;
export type Requirement = (typeof requirements)[number];

/** What can be found of a requirement, and what each may count as. */
export const countings = {
  pass: ["pass", "fail"],
  skip: ["pass", "fail"],
  flaky: ["pass", "fail"],
  neutral: ["pass", "fail"],
  fail: ["pass", "fail"],
  // Nothing has failed where nothing was found.
  missing: ["pass", "missing"],
} as const satisfies Record<TestResultKind | "missing", readonly string[]>;

export type Countable = keyof typeof countings;
type Counted = "pass" | "fail" | "missing";

/** How each counts where a rule does not say. */
export const usualCounts: Readonly<Record<Countable, Counted>> = {
  pass: "pass",
  skip: "pass",
  flaky: "pass",
  neutral: "pass",
  fail: "fail",
  missing: "missing",
};

/** What is required of some subjects. All names are globs, with * and ?. */
export interface Rule {
  readonly requirement: Requirement;
  /** Whether anything of it counts; a rule that says no exempts what it matches from the rules below it. */
  readonly required: boolean;
  readonly series: readonly string[];
  readonly architectures: readonly string[];
  readonly sources: readonly string[];
  /** Names of tests; every glob has to find one. */
  readonly tests: readonly string[];
  readonly counts: Readonly<Record<Countable, Counted>>;
}

/** What a ticket needs before it is published. For each subject, the first rule that matches decides. */
export interface Policy {
  readonly rules: readonly Rule[];
}

/** A rule for every subject, which counts as usual. */
export const usualRule = (requirement: Requirement): Rule => ({
  requirement,
  required: true,
  series: ["*"],
  architectures: ["*"],
  sources: ["*"],
  tests: ["*"],
  counts: usualCounts,
});

/** The policy of an installation that has set none. */
export const defaultPolicy: Policy = { rules: requirements.map(usualRule) };

/** What was found of a requirement of one source package; of an image, the source is "". */
export interface Finding {
  readonly requirement: Requirement;
  readonly source: string;
  readonly architecture: string;
  readonly result: Countable | "running" | "infrastructure";
  /** Why it did not pass. */
  readonly reason: string | null;
}

/** Where a requirement stands: only `pass` and `waived` let a ticket go on, only `fail` ends it. */
export type State =
  "pass" | "fail" | "missing" | "running" | "infrastructure" | "waived";

/** What a policy says about one finding, or about one test of it. */
export interface Judgement {
  readonly requirement: Requirement;
  readonly source: string;
  /** Name of the test, or the glob that finds none; null: all of the requirement. */
  readonly test: string | null;
  readonly found: Finding["result"];
  readonly state: State;
  /** In words that follow what was judged. */
  readonly because: string;
}

/** A ticket, as far as policies tell tickets apart. */
export interface Judged {
  readonly series: string;
  /** The names of its source packages. */
  readonly sources: readonly string[];
}

/** The name that autopkgtest gives to all tests of a package together. */
const allTests = "*";

/**
 * What a policy says about a finding. The engine and what is tried offline both ask this function.
 *
 * @param tests those of the source package, when the finding is of tests
 * @param overrides of the ticket; one in force waives what it covers
 * @returns nothing when nothing is required; of tests, first one judgement for each of `tests` that is
 */
export function judge(
  policy: Policy,
  ticket: Judged,
  finding: Finding,
  tests: readonly TestResult[],
  overrides: readonly Override[],
): Judgement[] {
  return finding.requirement === "tests"
    ? judgeTests(policy, ticket, finding, tests, overrides)
    : judgeWork(policy, ticket, finding, overrides);
}

/** What becomes of a ticket that is judged so. */
export type Decision = "through" | "stopped" | "undecided";

/** Decides about a ticket by the judgements of all its requirements. */
export function decide(judgements: readonly Judgement[]): Decision {
  if (judgements.some(({ state }) => state === "fail")) return "stopped";
  return judgements.every(({ state }) => state === "pass" || state === "waived")
    ? "through"
    : "undecided";
}

function judgeWork(
  policy: Policy,
  ticket: Judged,
  finding: Finding,
  overrides: readonly Override[],
): Judgement[] {
  const { requirement, source, architecture, result, reason } = finding;
  const says = (state: State, because: string): Judgement[] => [
    { requirement, source, test: null, found: result, state, because },
  ];
  const what = reason ?? result;
  // Without packages or an image nothing can go on, however little is required.
  if (result === "infrastructure" || result === "running")
    return says(result, what);
  const needed =
    requirement === "image" && isImageNeeded(policy, ticket, architecture);
  const rule = policy.rules.find(
    (one) =>
      one.requirement === requirement &&
      matches(one, ticket.series, architecture) &&
      (requirement === "image" || hasGlob(one.sources, source)),
  );
  const required = rule?.required ?? false;
  if (!required && !needed) return [];
  const counted =
    needed && result !== "pass"
      ? usualCounts[result]
      : (rule?.counts ?? usualCounts)[result];
  if (counted === "pass")
    return says(counted, countedInWords(what, result, counted));
  const waiver = ignoredArchitecture(overrides, architecture);
  if (waiver !== undefined)
    return says("waived", `${what}, ${ignoredBecause(waiver)}`);
  return says(
    counted,
    required ? countedInWords(what, result, counted) : `${what}; tests need it`,
  );
}

/**
 * Whether a ticket cannot go on without its image, since tests run on it, whatever the policy says of
 * images.
 */
export function isImageNeeded(
  policy: Policy,
  { series, sources }: Judged,
  architecture: string,
): boolean {
  return sources.some((source) =>
    rulesOfTests(policy, series, architecture, source).some(
      ({ required, counts }) => required && counts.missing !== "pass",
    ),
  );
}

function judgeTests(
  policy: Policy,
  { series }: Judged,
  finding: Finding,
  tests: readonly TestResult[],
  overrides: readonly Override[],
): Judgement[] {
  const { requirement, source, architecture, result, reason } = finding;
  const rules = rulesOfTests(policy, series, architecture, source);
  const required = rules.filter((rule) => rule.required);
  const waiver = (test: string) =>
    ignoredArchitecture(overrides, architecture) ??
    ignoredTest(overrides, source) ??
    ignoredTest(overrides, `${source}/${test}`);
  const says = (
    test: string | null,
    found: Countable,
    counted: Counted,
    words: string,
  ): Judgement => {
    const by = counted === "pass" ? undefined : waiver(test ?? allTests);
    return {
      requirement,
      source,
      test,
      found,
      state: by === undefined ? counted : "waived",
      because:
        by === undefined
          ? countedInWords(words, found, counted)
          : ignoredBecause(by),
    };
  };
  if (required.length === 0) return [];
  if (result === "infrastructure" || result === "running")
    return [
      {
        requirement,
        source,
        test: null,
        found: result,
        state: result,
        because: reason ?? result,
      },
    ];
  if (result === "missing") {
    const counted = required.some(({ counts }) => counts.missing === "missing");
    const words = reason ?? "they have not run";
    return [says(null, result, counted ? "missing" : "pass", words)];
  }
  const rows = rowsOf(result, tests);
  const found = rows.flatMap((row) => {
    const rule = rules.find((one) => hasGlob(one.tests, row.name));
    if (rule?.required !== true) return [];
    const words = row.name === allTests ? (reason ?? row.result) : row.result;
    const test = row.name === allTests ? null : row.name;
    return says(test, row.result, rule.counts[row.result], words);
  });
  const missing = required.flatMap((rule) =>
    rule.tests
      .filter((glob) => !rows.some(({ name }) => matchesGlob(glob, name)))
      .map((glob) =>
        says(glob, "missing", rule.counts.missing, "there is no such test"),
      ),
  );
  return [...found, ...missing];
}

/** The results of a source package that are judged: its tests, and what failed beside them. */
function rowsOf(
  result: TestResultKind,
  tests: readonly TestResult[],
): readonly Pick<TestResult, "name" | "result">[] {
  const whole = { name: allTests, result };
  if (tests.length === 0) return [whole];
  // A package may be broken as a whole, or take too long, without a test that failed.
  const broken =
    result === "fail" && !tests.some((one) => one.result === result);
  return broken ? [...tests, whole] : tests;
}

/** The rules about tests of a source package, up to the first that exempts all that are left. */
function rulesOfTests(
  policy: Policy,
  series: string,
  architecture: string,
  source: string,
): readonly Rule[] {
  const rules = policy.rules.filter(
    (rule) =>
      rule.requirement === "tests" &&
      matches(rule, series, architecture) &&
      hasGlob(rule.sources, source),
  );
  const last = rules.findIndex(({ tests }) => tests.includes(allTests));
  return last < 0 ? rules : rules.slice(0, last + 1);
}

function matches(rule: Rule, series: string, architecture: string): boolean {
  return (
    hasGlob(rule.series, series) && hasGlob(rule.architectures, architecture)
  );
}

function hasGlob(globs: readonly string[], name: string): boolean {
  return globs.some((glob) => matchesGlob(glob, name));
}

function countedInWords(
  words: string,
  found: Countable,
  counted: Counted,
): string {
  if (usualCounts[found] === counted) return words;
  return `${words}, which the policy counts as ${counted}`;
}
