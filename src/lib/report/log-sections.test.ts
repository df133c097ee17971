import { describe, expect, test } from "vitest";

import { lineFinder } from "./log-finder.ts";
import { sectionFinder } from "./log-sections.ts";

function sectionsOf(lines: readonly string[]): string[] {
  const finder = sectionFinder();
  lines.forEach((line, at) => finder.line(line, at + 1));
  return finder
    .end(lines.length)
    .map(({ title, level, from, to, seconds, result }) =>
      [
        `${"  ".repeat(level - 1)}${title} ${from}-${to}`,
        ...(seconds === null ? [] : [`${seconds} s`]),
        ...(result === null ? [] : [result]),
      ].join(", "),
    );
}

const many = (line: string) => Array.from({ length: 12 }, () => line);

const border = `+${"-".repeat(78)}+`;

const autopkgtestLog = [
  "Tests of hello 1",
  "autopkgtest [23:59:58]: version 5.28",
  `autopkgtest [23:59:58]: ${"@".repeat(20)} source hello.dsc`,
  "autopkgtest [23:59:59]: test smoke: preparing testbed",
  "Reading package lists...",
  "autopkgtest [00:00:09]: test smoke: [-----------------------",
  "smoke PASS",
  "cannot open the display",
  "autopkgtest [00:01:09]: test smoke: -----------------------]",
  "autopkgtest [00:01:10]: test smoke:  - - - - - - - - - - results - - - - - - - - - -",
  "smoke                FAIL non-zero exit status 1",
  `autopkgtest [00:01:10]: ${"@".repeat(20)} summary`,
  "smoke                FAIL non-zero exit status 1",
  "root                 SKIP Test needs root on testbed",
  "",
  "failed: a test failed: smoke (non-zero exit status 1: cannot open the display)",
  "stages: test 72.0 s",
  "finished: 2026-01-01T00:01:11.000Z",
];

describe("the sections of a log", () => {
  test("of our own builder: what it runs, debhelper's commands, the result", () => {
    expect(
      sectionsOf([
        "Build of hello 1 for bookworm",
        "builder: session",
        "",
        "$ apt-get build-dep",
        ...many("Get: x"),
        "dpkg-source: info: extracting hello",
        "$ dpkg-buildpackage -b",
        " debian/rules binary",
        "   dh_update_autotools_config",
        "   dh_autoreconf",
        "   dh_auto_build -O--x",
        ...many("cc"),
        "   dh_auto_test",
        "   dh_prep",
        "",
        "failed: compile: no",
        "stages: compile 1.0 s",
      ]),
    ).toEqual([
      "beginning 1-3",
      "$ apt-get build-dep 4-16",
      "unpack the source 17-17",
      "$ dpkg-buildpackage -b 18-18",
      "  debian/rules binary … dh_autoreconf 19-21",
      "  dh_auto_build -O--x 22-34",
      "  dh_auto_test … dh_prep 35-37",
      "result 38-39",
    ]);
  });

  test("of sbuild", () => {
    const title = (text: string) => [border, `| ${text.padEnd(77)}|`, border];
    expect(
      sectionsOf([
        "sbuild (Debian sbuild) 0.85.0",
        ...title("Update chroot"),
        "Get:1 http://x",
        ...title("Build"),
        "$ no command of ours",
        "| no title |",
      ]),
    ).toEqual(["beginning 1-1", "Update chroot 2-5", "Build 6-10"]);
  });

  test("of autopkgtest: with times over midnight, and results", () => {
    expect(sectionsOf(autopkgtestLog)).toEqual([
      "beginning 1-2",
      "source hello.dsc 3-3, 1 s",
      "test smoke: preparing 4-5, 10 s",
      "test smoke 6-11, 61 s, FAIL",
      "summary 12-15, 0 s",
      "result 16-18",
    ]);
  });

  test("are one where nothing is known of the log", () => {
    expect(sectionsOf(["a", "b"])).toEqual(["the whole log 1-2"]);
    expect(sectionsOf([])).toEqual([]);
  });

  test("are no more than memory is there for, and cover all lines", () => {
    const lines = Array.from({ length: 3000 }, (_, at) => [
      border,
      `| ${at} |`,
    ]).flat();
    const sections = sectionsOf(lines);
    expect(sections).toHaveLength(999);
    expect(sections.at(-1)).toBe("998 1997-6000");
  });

  test("have titles of bounded length", () => {
    expect(
      sectionsOf(["Build of x 1", `$ ${"y".repeat(16_000)}`])[1]?.length,
    ).toBeLessThan(120);
  });
});

describe("the line of a verdict", () => {
  function found(
    lines: readonly string[],
    wanted: { reasons?: string[]; tests?: string[] },
  ): Record<string, number> {
    const sections = sectionFinder();
    const finder = lineFinder({ reasons: [], tests: [], ...wanted });
    lines.forEach((line, at) => {
      const result = sections.line(line, at + 1);
      if (result !== null) finder.result(result, at + 1);
      finder.line(line, at + 1);
    });
    return Object.fromEntries(finder.found());
  }

  test("of a build is the longest that its reason quotes, and not where we say so", () => {
    const reason = "hello 1: compile: a.c:1:2: error: expected ';'";
    expect(
      found(
        [
          "error:",
          "compile",
          "  \x1b[1ma.c:1:2:\x1b[m \x1b[31merror: \x1b[mexpected ';'",
          "make: *** [all] Error 1",
          "failed: compile: a.c:1:2: error: expected ';'",
        ],
        { reasons: [reason] },
      ),
    ).toEqual({ [reason]: 3 });
  });

  test("that quotes nothing is where we say so", () => {
    const reason = "ran past its time limit of 5 minutes";
    expect(
      found(["cc", `failed: ${reason}`, "stages: "], { reasons: [reason] }),
    ).toEqual({ [reason]: 2 });
    expect(found(["cc"], { reasons: [reason] })).toEqual({});
  });

  test("of a long line is found by the part that is quoted", () => {
    const line = `error: ${"x".repeat(500)}`;
    const reason = `compile: ${line.slice(0, 300)}`;
    expect(found(["a", line], { reasons: [reason] })).toEqual({ [reason]: 2 });
  });

  test("of a test is its result in its own section, not what it printed", () => {
    const reason =
      "hello 1: a test failed: smoke (non-zero exit status 1: cannot open the display)";
    expect(
      found(autopkgtestLog, {
        reasons: [reason],
        tests: ["smoke", "root", "other"],
      }),
    ).toEqual({ [reason]: 8, smoke: 11, root: 14 });
  });
});
