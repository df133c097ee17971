import { describe, expect, test } from "vitest";

import {
  declaredTests,
  hasGeneratedTests,
  hasTests,
  readExitCode,
  readSummary,
  readTestEvent,
} from "./autopkgtest.ts";

describe("the Testsuite field of a .dsc", () => {
  test.each([
    [[], false, false],
    [["autopkgtest"], true, false],
    [["autopkgtest-pkg-python"], true, true],
    [["autopkgtest", "autopkgtest-pkg-perl"], true, true],
    [["something-else"], false, false],
  ])("%j", (field, any, generated) => {
    expect(hasTests(field)).toBe(any);
    expect(hasGeneratedTests(field)).toBe(generated);
  });
});

describe("debian/tests/control", () => {
  test("names every test as autopkgtest does", () => {
    const tests = declaredTests(`# a comment
Tests: smoke, upstream-tests
  regressions
Depends: @,
 python3 (>= 3.9),
Restrictions: allow-stderr, flaky

Test-Command: hello --version # said aloud
Depends: hello

Test-Command: hello
Features: test-name=greeting

Test-Command: hello -t
`);
    expect(tests).toEqual([
      ...["smoke", "upstream-tests", "regressions"],
      ...["command1", "greeting", "command2"],
    ]);
  });

  test("refuses what is not deb822", () => {
    expect(() => declaredTests("Tests smoke\n")).toThrow(/not a field/);
  });

  test("a stanza without a test is left to autopkgtest", () => {
    expect(declaredTests("Depends: @\n")).toEqual([]);
  });
});

describe("autopkgtest's output", () => {
  test.each([
    [
      "autopkgtest [12:00:01]: test smoke: preparing testbed",
      { test: "smoke", phase: "preparing" },
    ],
    [
      "autopkgtest [12:00:01]: test smoke: [-----------------------",
      { test: "smoke", phase: "begins" },
    ],
    [
      "autopkgtest [12:00:02]: test smoke: -----------------------]",
      { test: "smoke", phase: "ends" },
    ],
    ["autopkgtest [12:00:02]: test smoke:  - - - results - - -", undefined],
    ["test smoke: [-----------------------", undefined],
    ["", undefined],
  ])("%s", (line, event) => {
    expect(readTestEvent(line)).toEqual(event);
  });
});

describe("autopkgtest's summary", () => {
  test("what is skipped before it runs is reported twice, and counts once", () => {
    const skips = `odd                  SKIP unknown restriction no-such
deep                 SKIP Test requires machine-level isolation but testbed does not provide that
`;
    expect(
      readSummary(`${skips}${skips}fine                 PASS\n`).tests,
    ).toEqual([
      {
        name: "odd",
        result: "skip",
        detail: "unknown restriction no-such",
      },
      expect.objectContaining({ name: "deep", result: "skip" }),
      { name: "fine", result: "pass", detail: "" },
    ]);
  });

  test("tells each test's result and why", () => {
    expect(
      readSummary(`smoke                PASS
upstream-tests       FAIL non-zero exit status 3
needs-machine        SKIP Test restriction "isolation-machine" requires testbed capability "isolation-machine"
shaky                FLAKY stderr: oh
a-test-whose-name-is-long PASS (superficial)
`),
    ).toEqual({
      tests: [
        { name: "smoke", result: "pass", detail: "" },
        {
          name: "upstream-tests",
          result: "fail",
          detail: "non-zero exit status 3",
        },
        {
          name: "needs-machine",
          result: "skip",
          detail:
            'Test restriction "isolation-machine" requires testbed capability "isolation-machine"',
        },
        { name: "shaky", result: "flaky", detail: "stderr: oh" },
        {
          name: "a-test-whose-name-is-long",
          result: "pass",
          detail: "superficial",
        },
      ],
      message: null,
    });
  });

  test("a package without tests is neutral", () => {
    expect(
      readSummary("*                    SKIP no tests in this package\n").tests,
    ).toEqual([
      { name: "*", result: "neutral", detail: "no tests in this package" },
    ]);
  });

  test("keeps the words of an uninstallable test and of a broken testbed", () => {
    expect(
      readSummary(`smoke                FAIL badpkg
blame: hello
badpkg: Test dependencies are unsatisfiable.
`),
    ).toEqual({
      tests: [
        {
          name: "smoke",
          result: "fail",
          detail: "Test dependencies are unsatisfiable.",
        },
      ],
      message: null,
    });
    expect(
      readSummary("testbed failure: unexpected eof from the testbed\n"),
    ).toEqual({
      tests: [],
      message: "testbed failure: unexpected eof from the testbed",
    });
  });
});

describe("autopkgtest's exit code", () => {
  test.each([
    [0, "passed", "pass"],
    [2, "passed", "skip"],
    [4, "failed", "fail"],
    [6, "failed", "fail"],
    [8, "passed", "neutral"],
    [12, "failed", "fail"],
    [14, "failed", "fail"],
    [16, "tmpfail", null],
    [20, "tmpfail", null],
    [1, "tmpfail", null],
    [99, "tmpfail", null],
    [255, "tmpfail", null],
    [undefined, "tmpfail", null],
  ] as const)("%s is %s", (code, outcome, result) => {
    expect(readExitCode(code)).toMatchObject({ outcome, result });
  });

  test("no other code ever blames the package", () => {
    const blaming = new Set([4, 6, 12, 14]);
    for (let code = 0; code < 256; code += 1)
      expect(readExitCode(code).outcome === "failed").toBe(blaming.has(code));
  });
});
