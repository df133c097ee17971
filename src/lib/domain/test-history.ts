import type { JudgedTest } from "./ticket.ts";

/** The tests of one version of a source package, as its ticket ran them last. */
export interface TestedVersion {
  readonly ticket: number;
  readonly version: string;
  readonly tests: readonly JudgedTest[];
}

/**
 * What is to be said of a test now: `new`, it fails and passed before; `flaky`, autopkgtest says so, or
 * one version had both results; `known`, it fails and is ignored; `failing`, it failed before, too.
 */
export type TestState = "pass" | "new" | "failing" | "known" | "flaky" | "none";

/** A test of a source package in several versions. */
export interface TestRow {
  readonly name: string;
  readonly state: TestState;
  /** The newest version in which it passed, or null. */
  readonly lastGood: string | null;
  /** Its result in each version, in their order; null where it was not run. */
  readonly results: readonly (JudgedTest | null)[];
}

/**
 * The tests of a source package by their names: a renamed test is a new one. Those that fail for the first
 * time come first.
 *
 * @param versions newest first
 */
export function testHistory(versions: readonly TestedVersion[]): TestRow[] {
  const names = new Set(
    versions.flatMap(({ tests }) => tests.map(({ name }) => name)),
  );
  return [...names]
    .map((name) => rowOf(name, versions))
    .sort(
      (one, other) =>
        order.indexOf(one.state) - order.indexOf(other.state) ||
        (one.name < other.name ? -1 : 1),
    );
}

const order: readonly TestState[] = [
  "new",
  "failing",
  "flaky",
  "known",
  "none",
  "pass",
];

function rowOf(name: string, versions: readonly TestedVersion[]): TestRow {
  const results = versions.map(
    ({ tests }) => tests.find((test) => test.name === name) ?? null,
  );
  const good = results.findIndex((test) => test?.result === "pass");
  return {
    name,
    state: stateOf(results, versions),
    lastGood: versions[good]?.version ?? null,
    results,
  };
}

function stateOf(
  results: readonly (JudgedTest | null)[],
  versions: readonly TestedVersion[],
): TestState {
  const [now] = results;
  // The newest version has it no more: nothing is to be said of it now.
  if (now == null) return "none";
  if (now.result === "flaky") return "flaky";
  if (now.result !== "fail") return now.result === "pass" ? "pass" : "none";
  if (now.verdict === "known" || now.state === "waived") return "known";
  const before = results.findIndex(
    (test, index) =>
      index > 0 && (test?.result === "pass" || test?.result === "fail"),
  );
  if (results[before]?.result !== "pass") return "failing";
  return versions[before]?.version === versions[0]?.version ? "flaky" : "new";
}
