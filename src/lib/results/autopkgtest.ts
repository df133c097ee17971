import { parseDeb822, type Stanza } from "../debian/deb822.ts";
import { compareVersions } from "../debian/version.ts";
import type { Outcome, TestResultKind } from "../domain/ticket.ts";

/** One test that a source package declares (dep8, README.package-tests of autopkgtest). */
export interface DeclaredTest {
  readonly name: string;
  readonly restrictions: readonly string[];
  /** The Depends field as it is written; `@` where the field is missing. */
  readonly depends: string;
}

/**
 * Whether a source package has tests at all, by the Testsuite field of its .dsc: dpkg-source writes
 * `autopkgtest` there when debian/tests/control exists (dsc(5)), the maintainer
 * `autopkgtest-pkg-KIND` for tests that autodep8 makes up.
 */
export function hasTests(testsuite: readonly string[]): boolean {
  return testsuite.some(
    (suite) => suite === "autopkgtest" || suite.startsWith("autopkgtest-pkg-"),
  );
}

/** Whether autodep8 generates its tests: only autodep8 knows what they depend on. */
export function hasGeneratedTests(testsuite: readonly string[]): boolean {
  return testsuite.some((suite) => suite.startsWith("autopkgtest-pkg-"));
}

/**
 * The tests of a debian/tests/control, named as autopkgtest names them: `Tests` by their own names,
 * the n-th `Test-Command` by its `test-name` feature or as `commandN`. What autopkgtest would call
 * an error is left out here, for autopkgtest to say.
 *
 * @throws Deb822Error when the text is not deb822
 */
export function declaredTests(control: string): readonly DeclaredTest[] {
  const tests: DeclaredTest[] = [];
  let commands = 0;
  for (const stanza of parseDeb822(withoutComments(control))) {
    const restrictions = words(stanza.get("Restrictions") ?? "");
    const depends = oneLine(stanza.get("Depends") ?? "@");
    const named = stanza.get("Tests");
    if (named !== undefined) {
      for (const name of words(named))
        tests.push({ name, restrictions, depends });
    } else if (stanza.get("Test-Command") !== undefined) {
      const feature = words(stanza.get("Features") ?? "")
        .find((word) => word.startsWith("test-name="))
        ?.slice("test-name=".length);
      if (feature === undefined) commands += 1;
      const name = feature ?? `command${commands}`;
      tests.push({ name, restrictions, depends });
    }
  }
  return tests;
}

/** Comments may also stand behind a value there (autopkgtest's parse_rfc822). */
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

/** A package as it is installed on the testbed. */
export interface InstalledPackage {
  readonly package: string;
  readonly version: string;
}

/**
 * Whether the tests may need a package that is not on the testbed. When in doubt it is a yes: after a
 * no, package lists are hidden from autopkgtest.
 *
 * control: the source's debian/control, whose binary packages `@` stands for.
 */
export function needsInstalling(
  tests: readonly DeclaredTest[],
  control: string,
  installed: readonly InstalledPackage[],
  architecture: string,
): boolean {
  const present = new Map(
    installed.map((entry) => [entry.package, entry.version]),
  );
  let own: boolean | undefined;
  const hasOwn = () =>
    (own ??= parseDeb822(control, { comments: true })
      .filter((stanza) => isOwnPackage(stanza, architecture))
      .every((stanza) => present.has(stanza.get("Package") ?? "")));
  // All tests of a stanza have the same fields: each is judged once, however many tests it names.
  const judged = new Set<unknown>();
  const isNew = (field: unknown) => !judged.has(field) && judged.add(field);
  return tests.some(({ restrictions, depends }) => {
    if (
      isNew(restrictions) &&
      restrictions.some((restriction) =>
        ["build-needed", "needs-recommends", "needs-sudo"].includes(
          restriction,
        ),
      )
    )
      return true;
    return (
      isNew(depends) !== false &&
      depends
        .split(",")
        .map((group) => group.trim())
        .filter((group) => group !== "")
        .some((group) =>
          group === "@"
            ? !hasOwn()
            : !group
                .split("|")
                .some((alternative) =>
                  isMet(alternative.trim(), present, architecture),
                ),
        )
    );
  });
}

/** Whether `@` stands for this stanza's package here: not for udebs, nor other architectures'. */
function isOwnPackage(stanza: Stanza, architecture: string): boolean {
  if (stanza.get("Package") === undefined) return false;
  const type = stanza.get("Package-Type") ?? stanza.get("XC-Package-Type");
  if ((type ?? "deb") !== "deb") return false;
  const architectures = words(stanza.get("Architecture") ?? "any");
  return (
    architectures.includes("all") ||
    concerns(architectures, architecture) !== false
  );
}

const dependency =
  /^([a-z0-9][a-z0-9+.-]*)(?::(?:any|native))?\s*(?:\((<<|<=|=|>=|>>)\s*([^)\s]+)\s*\))?\s*(?:\[([^\]]*)\])?$/;

/** Whether one dependency is met. What can't be read (`@builddeps@`, variables) is not. */
function isMet(
  text: string,
  present: ReadonlyMap<string, string>,
  architecture: string,
): boolean {
  const match = dependency.exec(text);
  if (match === null) return false;
  const [, name = "", relation, wanted, architectures] = match;
  if (
    architectures !== undefined &&
    concerns(words(architectures), architecture) === false
  )
    return true;
  const version = present.get(name);
  if (version === undefined) return false;
  if (relation === undefined || wanted === undefined) return true;
  const order = compareVersions(version, wanted);
  switch (relation) {
    case "<<":
      return order < 0;
    case "<=":
      return order <= 0;
    case "=":
      return order === 0;
    case ">=":
      return order >= 0;
    default:
      return order > 0;
  }
}

/** Whether a list of architectures is about this one; undefined where a wildcard leaves it open. */
function concerns(
  list: readonly string[],
  architecture: string,
): boolean | undefined {
  const is = (entry: string): boolean | undefined => {
    if (["any", "linux-any", architecture].includes(entry)) return true;
    if (entry === `any-${architecture}`) return true;
    return entry.includes("any") ? undefined : false;
  };
  const verdicts = list.map((entry) =>
    entry.startsWith("!") ? is(entry.slice(1)) : is(entry),
  );
  if (verdicts.includes(undefined)) return undefined;
  const negative = list.some((entry) => entry.startsWith("!"));
  return negative ? !verdicts.includes(true) : verdicts.includes(true);
}

/** The progress of a test, read from a line of autopkgtest's output. */
export interface TestEvent {
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
export interface SummaryEntry {
  readonly name: string;
  readonly result: TestResultKind;
  readonly detail: string;
}

export interface Summary {
  readonly tests: readonly SummaryEntry[];
  /** What went wrong apart from a test: `testbed failure: …`, `erroneous package: …`. */
  readonly message: string | null;
}

/** Reads autopkgtest's summary file: `NAME RESULT DETAIL` lines, and what it says besides. */
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
      tests.push({ name, result, detail: detail.replace(/^\((.*)\)$/, "$1") });
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

/** What autopkgtest's exit code says of a package's tests as a whole. */
export interface ExitVerdict {
  readonly outcome: Outcome;
  /** The result to show where the summary names no test. */
  readonly result: TestResultKind | null;
  readonly meaning: string;
}

/**
 * The one table from autopkgtest's exit code to a verdict (autopkgtest(1), EXIT STATUS). A testbed
 * that broke, and every code that is not autopkgtest's, is never the package's fault.
 */
export function readExitCode(code: number | undefined): ExitVerdict {
  switch (code) {
    case 0:
      return verdict("passed", "pass", "all tests passed");
    case 2:
      return verdict("passed", "skip", "a test was skipped or is flaky");
    case 8:
      return verdict("passed", "neutral", "no tests, or all were skipped");
    case 4:
      return verdict("failed", "fail", "a test failed");
    case 6:
      return verdict("failed", "fail", "a test failed and one was skipped");
    case 12:
      return verdict("failed", "fail", "erroneous package");
    case 14:
      return verdict("failed", "fail", "erroneous package, a test skipped");
    case 16:
      return verdict("tmpfail", null, "the testbed failed");
    case 20:
      return verdict("tmpfail", null, "autopkgtest failed unexpectedly");
    case undefined:
      return verdict("tmpfail", null, "autopkgtest did not end by itself");
    default:
      return verdict("tmpfail", null, `autopkgtest exited with ${code}`);
  }
}

function verdict(
  outcome: Outcome,
  result: TestResultKind | null,
  meaning: string,
): ExitVerdict {
  return { outcome, result, meaning };
}

function words(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
