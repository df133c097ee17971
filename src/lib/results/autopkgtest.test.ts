import { describe, expect, test } from "vitest";

import {
  declaredTests,
  hasGeneratedTests,
  hasTests,
  needsInstalling,
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
      {
        name: "smoke",
        restrictions: ["allow-stderr", "flaky"],
        depends: "@, python3 (>= 3.9),",
      },
      {
        name: "upstream-tests",
        restrictions: ["allow-stderr", "flaky"],
        depends: "@, python3 (>= 3.9),",
      },
      {
        name: "regressions",
        restrictions: ["allow-stderr", "flaky"],
        depends: "@, python3 (>= 3.9),",
      },
      { name: "command1", restrictions: [], depends: "hello" },
      { name: "greeting", restrictions: [], depends: "@" },
      { name: "command2", restrictions: [], depends: "@" },
    ]);
  });

  test("refuses what is not deb822", () => {
    expect(() => declaredTests("Tests smoke\n")).toThrow(/not a field/);
  });

  test("a stanza without a test is left to autopkgtest", () => {
    expect(declaredTests("Depends: @\n")).toEqual([]);
  });
});

describe("whether the tests need something installed", () => {
  const control = `Source: hello
Build-Depends: debhelper-compat (= 13)

Package: hello
Architecture: any

Package: hello-udeb
Package-Type: udeb
Architecture: any

Package: hello-port
Architecture: armhf
`;
  const installed = [
    { package: "hello", version: "2.10-3+ci1" },
    { package: "libc6", version: "2.36-9" },
  ];
  const needs = (depends: string, restrictions: readonly string[] = []) =>
    needsInstalling(
      [{ name: "t", restrictions, depends }],
      control,
      installed,
      "amd64",
    );

  test.each([
    ["@"],
    [""],
    ["@, libc6 (>= 2.30)"],
    ["no-such | libc6"],
    ["hello:any (= 2.10-3+ci1),"],
    ["no-such [armhf]"],
    ["libc6 [linux-any]"],
    ["libc6 [!armhf]"],
  ])("%j needs nothing", (depends) => {
    expect(needs(depends)).toBe(false);
  });

  test.each([
    ["@, python3"],
    ["@builddeps@"],
    ["@recommends@"],
    ["libc6 (>> 2.36-9)"],
    ["libc6 (<< 2.36)"],
    ["${shlibs:Depends}"],
    ["no-such [amd64]"],
    ["no-such [any-amd64]"],
    ["no-such [musl-any-any]"],
    ["no-such <!nocheck>"],
  ])("%j needs something, or may", (depends) => {
    expect(needs(depends)).toBe(true);
  });

  test("a binary package of the source that is not on the image is needed", () => {
    const more = `${control}\nPackage: hello-doc\nArchitecture: all\n`;
    expect(
      needsInstalling(
        [{ name: "t", restrictions: [], depends: "@" }],
        more,
        installed,
        "amd64",
      ),
    ).toBe(true);
  });

  test.each(["build-needed", "needs-recommends", "needs-sudo"])(
    "%s needs something",
    (restriction) => {
      expect(needs("@", [restriction])).toBe(true);
    },
  );
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
