import { parseDeb822 } from "../debian/deb822.ts";
import type { Outcome, TestResultKind } from "../domain/ticket.ts";

/**
 * Whether a source package has tests, by the Testsuite field of its .dsc: dpkg-source writes
 * `autopkgtest` there if debian/tests/control exists (dsc(5)), and the maintainer
 * `autopkgtest-pkg-KIND` for tests that autodep8 generates.
 */
export function hasTests(testsuite: readonly string[]): boolean {
  return testsuite.some(
    (suite) => suite === "autopkgtest" || suite.startsWith("autopkgtest-pkg-"),
  );
}

/** Whether autodep8 generates some of the tests: only autodep8 knows what these depend on. */
export function hasGeneratedTests(testsuite: readonly string[]): boolean {
  return testsuite.some((suite) => suite.startsWith("autopkgtest-pkg-"));
}

/**
 * The names of the tests of a debian/tests/control (DEP 8; autopkgtest's README.package-tests), named as autopkgtest names them: those of `Tests` by their own
 * names, the n-th `Test-Command` by its `test-name` feature, else `commandN`. Stanzas with neither are
 * left out; autopkgtest reports them.
 *
 * @throws Deb822Error when the text is not deb822
 */
export function declaredTests(control: string): readonly string[] {
  const tests: string[] = [];
  let commands = 0;
  for (const stanza of parseDeb822(withoutComments(control))) {
    const named = stanza.get("Tests");
    if (named !== undefined) {
      for (const name of words(named)) tests.push(name);
    } else if (stanza.get("Test-Command") !== undefined) {
      const feature = words(stanza.get("Features") ?? "")
        .find((word) => word.startsWith("test-name="))
        ?.slice("test-name=".length);
      if (feature === undefined) commands += 1;
      tests.push(feature ?? `command${commands}`);
    }
  }
  return tests;
}

/** In this file, a comment may also follow a value (autopkgtest's parse_rfc822). */
function withoutComments(control: string): string {
  if (!control.includes("#")) return control;
  return control
    .split("\n")
    .flatMap((line) => {
      const comment = line.indexOf("#");
      if (comment < 0) return line;
      const rest = line.slice(0, comment);
      return rest.trim() === "" ? [] : rest;
    })
    .join("\n");
}

/** The progress of a test. */
interface TestEvent {
  readonly test: string;
  readonly phase: "preparing" | "begins" | "ends";
}

/** Reads a line of autopkgtest's output: `autopkgtest [hh:mm:ss]: test NAME: …`. */
export function readTestEvent(line: string): TestEvent | undefined {
  const match =
    /^autopkgtest \[\d\d:\d\d:\d\d\]: test (\S+): (preparing testbed|\[-+|-+\])$/.exec(
      line.trimEnd(),
    );
  const [, test, what] = match ?? [];
  if (test === undefined || what === undefined) return undefined;
  if (what.startsWith("p")) return { test, phase: "preparing" };
  return { test, phase: what.startsWith("[") ? "begins" : "ends" };
}

/** A test's line in autopkgtest's summary file. */
interface SummaryEntry {
  readonly name: string;
  readonly result: TestResultKind;
  readonly detail: string;
}

export interface Summary {
  readonly tests: readonly SummaryEntry[];
  /** An error that is not a test's: `testbed failure: …`, `erroneous package: …`. */
  readonly message: string | null;
}

/** Reads autopkgtest's summary file: lines of `NAME RESULT DETAIL`, and other messages. */
export function readSummary(text: string): Summary {
  const tests: SummaryEntry[] = [];
  let message: string | null = null;
  for (const line of text.split("\n")) {
    const match = /^(\S+)\s+(PASS|FAIL|SKIP|FLAKY|BROKEN)(?: (.*))?$/.exec(
      line.trimEnd(),
    );
    const [, name, word, detail = ""] = match ?? [];
    if (name !== undefined && word !== undefined) {
      const result = kindOf(name, word);
      const entry = {
        name,
        result,
        detail: detail.replace(/^\((.*)\)$/, "$1"),
      };
      // autopkgtest reads the declarations twice, and reports what it skips each time.
      if (result !== "skip" || !tests.some((one) => isSame(one, entry)))
        tests.push(entry);
      continue;
    }
    const rest = line.trim();
    const last = tests.at(-1);
    if (rest.startsWith("badpkg: ") && last?.detail === "badpkg") {
      const detail = rest.slice("badpkg: ".length);
      tests[tests.length - 1] = { ...last, detail };
    } else if (rest !== "" && !rest.startsWith("blame: ")) {
      message ??= rest;
    }
  }
  return { tests, message };
}

function isSame(one: SummaryEntry, other: SummaryEntry): boolean {
  return (
    one.name === other.name &&
    one.result === other.result &&
    one.detail === other.detail
  );
}

function kindOf(name: string, word: string): TestResultKind {
  switch (word) {
    case "PASS":
      return "pass";
    case "FLAKY":
      return "flaky";
    case "SKIP":
      // `* SKIP no tests in this package`
      return name === "*" ? "neutral" : "skip";
    default:
      return "fail";
  }
}

/** The verdict on all of a package's tests. */
interface ExitVerdict {
  readonly outcome: Outcome;
  /** The result to show when the summary names no test. */
  readonly result: TestResultKind | null;
  readonly meaning: string;
}

/** The exit codes of autopkgtest(1), section EXIT STATUS. */
const exitCodes: ReadonlyMap<
  number | undefined,
  readonly [Outcome, TestResultKind | null, string]
> = new Map([
  [0, ["passed", "pass", "all tests passed"]],
  [2, ["passed", "skip", "a test was skipped or is flaky"]],
  [8, ["passed", "neutral", "no tests, or all were skipped"]],
  [4, ["failed", "fail", "a test failed"]],
  [6, ["failed", "fail", "a test failed and one was skipped"]],
  [12, ["failed", "fail", "erroneous package"]],
  [14, ["failed", "fail", "erroneous package, a test skipped"]],
  [16, ["tmpfail", null, "the testbed failed"]],
  [20, ["tmpfail", null, "autopkgtest failed unexpectedly"]],
  [undefined, ["tmpfail", null, "autopkgtest did not end by itself"]],
]);

/**
 * The verdict for an exit code of autopkgtest; undefined when a signal ended it. A broken testbed or an
 * unknown code is never the package's fault.
 */
export function readExitCode(code: number | undefined): ExitVerdict {
  const unknown = `autopkgtest exited with ${code ?? "no code"}`;
  const [outcome, result, meaning] =
    exitCodes.get(code) ?? (["tmpfail", null, unknown] as const);
  return { outcome, result, meaning };
}

function words(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}
