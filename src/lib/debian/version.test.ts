import { execFileSync, spawnSync } from "node:child_process";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { compareVersions, versionProblem } from "./version.ts";

/** Every comparison that dpkg's and apt's own test suites make: a, b, and which comes first. */
const vectors: readonly (readonly [string, string, "<" | "=" | ">"])[] = [
  // dpkg, scripts/t/Dpkg_Version.t
  ["1.0-1", "2.0-2", "<"],
  ["2.2~rc-4", "2.2-1", "<"],
  ["2.2-1", "2.2~rc-4", ">"],
  ["1.0000-1", "1.0-1", "="],
  ["1", "0:1", "="],
  ["0", "0:0-0", "="],
  ["2:2.5", "1:7.5", ">"],
  ["1:0foo", "0foo", ">"],
  ["0:0foo", "0foo", "="],
  ["0foo", "0foo", "="],
  ["0foo-", "0foo", "="],
  ["0foo-", "0foo-0", "="],
  ["0foo", "0fo", ">"],
  ["0foo-", "0foo+", "<"],
  ["0foo~1", "0foo", "<"],
  ["0foo~foo+Bar", "0foo~foo+bar", "<"],
  ["0foo~~", "0foo~", "<"],
  ["1~", "1", "<"],
  ["12345+that-really-is-some-ver-0", "12345+that-really-is-some-ver-10", "<"],
  ["0foo-0", "0foo-01", "<"],
  ["0foo.bar", "0foobar", ">"],
  ["0foo.bar", "0foo1bar", ">"],
  ["0foo.bar", "0foo0bar", ">"],
  ["0foo1bar-1", "0foobar-1", "<"],
  ["0foo2.0", "0foo2", ">"],
  ["0foo2.0.0", "0foo2.10.0", "<"],
  ["0foo2.0", "0foo2.0.0", "<"],
  ["0foo2.0", "0foo2.10", "<"],
  ["0foo2.1", "0foo2.10", "<"],
  ["1.09", "1.9", "="],
  ["1.0.8+nmu1", "1.0.8", ">"],
  ["3.11", "3.10+nmu1", ">"],
  ["0.9j-20080306-4", "0.9i-20070324-2", ">"],
  ["1.2.0~b7-1", "1.2.0~b6-1", ">"],
  ["1.011-1", "1.06-2", ">"],
  ["0.0.9+dfsg1-1", "0.0.8+dfsg1-3", ">"],
  ["4.6.99+svn6582-1", "4.6.99+svn6496-1", ">"],
  ["53", "52", ">"],
  ["0.9.9~pre122-1", "0.9.9~pre111-1", ">"],
  ["2:2.3.2-2+lenny2", "2:2.3.2-2", ">"],
  ["1:3.8.1-1", "3.8.GA-1", ">"],
  ["1.0.1+gpl-1", "1.0.1-2", ">"],
  ["1a", "1000a", "<"],
  ["-0.6.5", "0.9.1", "<"],
  // dpkg, lib/dpkg/t/t-version.c
  ["1-1", "2-1", "<"],
  ["1-1", "1-2", "<"],
  ["0-0", "0-0", "="],
  ["0-00", "00-0", "="],
  ["1:2-3", "1:2-3", "="],
  ["0-0", "1:0-0", "<"],
  ["a-0", "b-0", "<"],
  ["0-a", "0-b", "<"],
  ["1-1", "1-1", "="],
  ["2-1", "1-1", ">"],
  ["0", "0:0", "="],
  ["0", "0:0-", "="],
  ["0-0", "0:0-0", "="],
  ["0.0-0.0", "0:0.0-0.0", "="],
  ["0:0", "0:0-0", "="],
  ["0:0:0-0", "0:00:0-0", "="],
  ["0:0-0-0", "0-0-0", "="],
  ["0:0-0-0-0", "0-0-0-0", "="],
  ["0:0:0-0-0", "0:0:00-0-0", "="],
  ["0:0-0:0-0", "0:0-0:00-0", "="],
  ["0:09azAZ.-+~:-0", "0:9azAZ.-+~:-0", "="],
  ["0:0-azAZ09.+~", "0:0-azAZ9.+~", "="],
  // apt, test/versions.lst
  ["7.6p2-4", "7.6-0", ">"],
  ["1.0.3-3", "1.0-1", ">"],
  ["1.3", "1.2.2-2", ">"],
  ["1.3", "1.2.2", ">"],
  ["a", ".", "<"],
  ["z", ".", "<"],
  ["1:0.4", "10.3", ">"],
  ["1:1.25-4", "1:1.25-8", "<"],
  ["0:1.18.36", "1.18.36", "="],
  ["1.18.36", "1.18.35", ">"],
  ["0:1.18.36", "1.18.35", ">"],
  ["9:1.18.36:5.4-20", "10:0.5.1-22", "<"],
  ["9:1.18.36:5.4-20", "9:1.18.36:5.5-1", "<"],
  ["9:1.18.36:5.4-20", "9:1.18.37:4.3-22", "<"],
  ["1.18.36-0.17.35-18", "1.18.36-19", ">"],
  ["1:1.2.13-3", "1:1.2.13-3.1", "<"],
  ["2.0.7pre1-4", "2.0.7r-1", "<"],
  ["0-pre", "0-pre", "="],
  ["0-pre", "0-pree", "<"],
  ["1.1.6r2-2", "1.1.6r-1", ">"],
  ["2.6b2-1", "2.6b-2", ">"],
  ["98.1p5-1", "98.1-pre2-b6-2", "<"],
  ["0.4a6-2", "0.4-1", ">"],
  ["1:3.0.5-2", "1:3.0.5.1", "<"],
  ["III-alpha9.8", "III-alpha9.8-1.5", "<"],
  ["3.0~rc1-1", "3.0-1", "<"],
  ["1.0", "1.0-0", "="],
  ["0.2", "1.0-0", "<"],
  ["1.0", "1.0-0+b1", "<"],
  ["1.0", "1.0-0~", ">"],
  ["0:0-0-0", "0-0", ">"],
  ["0", "0", "="],
  ["0", "00", "="],
  ["1.2.3", "1.2.3", "="],
  ["4.4.3-2", "4.4.3-2", "="],
  ["1:2ab:5", "1:2ab:5", "="],
  ["7:1-a:b-5", "7:1-a:b-5", "="],
  ["57:1.2.3abYZ+~-4-5", "57:1.2.3abYZ+~-4-5", "="],
  ["1.2.3", "0:1.2.3", "="],
  ["1.2.3", "1.2.3-0", "="],
  ["009", "9", "="],
  ["009ab5", "9ab5", "="],
  ["1.2.3", "1.2.3-1", "<"],
  ["1.2.3", "1.2.4", "<"],
  ["1.2.4", "1.2.3", ">"],
  ["1.2.24", "1.2.3", ">"],
  ["0.10.0", "0.8.7", ">"],
  ["3.2", "2.3", ">"],
  ["1.3.2a", "1.3.2", ">"],
  ["0.5.0~git", "0.5.0~git2", "<"],
  ["2a", "21", "<"],
  ["1.3.2a", "1.3.2b", "<"],
  ["1:1.2.3", "1.2.4", ">"],
  ["1:1.2.3", "1:1.2.4", "<"],
  ["1.2a+~bCd3", "1.2a++", "<"],
  ["1.2a+~bCd3", "1.2a+~", ">"],
  ["5:2", "304-2", ">"],
  ["5:2", "304:2", "<"],
  ["25:2", "3:2", ">"],
  ["1:2:123", "1:12:3", "<"],
  ["1.2-5", "1.2-3-5", "<"],
  ["5.10.0", "5.005", ">"],
  ["3a9.8", "3.10.2", "<"],
  ["3a9.8", "3~10", ">"],
  ["1.4+OOo3.0.0~", "1.4+OOo3.0.0-4", "<"],
  ["2.4.7-1", "2.4.7-z", "<"],
  ["1.002-1+b2", "1.00", ">"],
  // and some of our own
  ["0foo-0", "0foo", "="],
  ["0foo", "0foo-0", "="],
  ["0foo-0", "0foo+", "<"],
  ["-0", "-0", "="],
  ["0.0.0-0", "0", ">"],
  ["1.2.3", "1.2.3~rc1", ">"],
  ["3~10", "3a9.8", "<"],
  ["1.0-1", "1.0-1.1", "<"],
  ["0:0", "0", "="],
];

const sign = (value: number): "<" | "=" | ">" =>
  value < 0 ? "<" : value > 0 ? ">" : "=";

describe("the order of versions (deb-version(7))", () => {
  test.each(vectors)("%s against %s is %s", (a, b, expected) => {
    expect(sign(compareVersions(a, b))).toBe(expected);
    expect(sign(compareVersions(b, a))).toBe(
      expected === "<" ? ">" : expected === ">" ? "<" : "=",
    );
  });

  test("dpkg on this machine has the same idea of all of them", () => {
    const words = { "<": "lt-nl", "=": "eq", ">": "gt-nl" };
    const differing = vectors.filter(([a, b, expected]) => {
      const { status } = spawnSync(
        "dpkg",
        ["--compare-versions", "--", a, words[expected], b],
        { stdio: "ignore" },
      );
      // Newer ones refuse to compare what is no version (0foo-, -0.6.5); so do we.
      const refused = [a, b].some((each) => versionProblem(each) !== undefined);
      return status !== 0 && !(status === 2 && refused);
    });
    expect(differing).toEqual([]);
  });

  test("agrees with dpkg on versions nobody thought of", () => {
    const part = fc.string({
      unit: fc.constantFrom(...Array.from("0019ab+.~Z")),
      maxLength: 6,
    });
    const version = fc
      .tuple(fc.constantFrom("", "0:", "1:"), part, fc.option(part))
      .map(
        ([epoch, upstream, revision]) =>
          `${epoch}1${upstream}${revision === null ? "" : `-1${revision}`}`,
      );
    fc.assert(
      fc.property(version, version, (a, b) => {
        const word = { "<": "lt", "=": "eq", ">": "gt" }[
          sign(compareVersions(a, b))
        ];
        execFileSync("dpkg", ["--compare-versions", a, word, b], {
          stdio: "ignore",
        });
      }),
      { numRuns: 150 },
    );
  });
});

describe("versions that are refused", () => {
  test.each([
    ["", "is empty"],
    ["1 2", "has embedded spaces"],
    [":1", "has an empty epoch"],
    ["a:1", "has an epoch that is not a number"],
    ["4294967296:1", "has an epoch that is too big"],
    ["1:", "has nothing after the epoch's colon"],
    ["1-", "has an empty revision"],
    ["-1", "has an empty upstream part"],
    ["a1", "does not start with a digit"],
    ["1_2", "has an invalid character in the upstream part"],
    ["1-2_3", "has an invalid character in the revision"],
    // dpkg, lib/dpkg/t/t-version.c
    ["  ", "has embedded spaces"],
    ["0:", "has nothing after the epoch's colon"],
    ["0:0 0-1", "has embedded spaces"],
    ["-1:0-1", "has an epoch that is not a number"],
    ["999999999999999999999999:0-1", "has an epoch that is too big"],
    ["A:0-0", "has an epoch that is not a number"],
    ["-0", "has an empty upstream part"],
    ["0:-0", "has an empty upstream part"],
    ["0:abc3-0", "does not start with a digit"],
    ["0:0-0:0", "has an invalid character in the revision"],
    ...Array.from("!#@$%&/|\\<>()[]{};,_=*^'", (character) => [
      `0:0${character}-0`,
      "has an invalid character in the upstream part",
    ]),
    ...Array.from("!#@$%&/|\\<>()[]{}:;,_=*^'", (character) => [
      `0:0-${character}`,
      "has an invalid character in the revision",
    ]),
    // dpkg, scripts/t/Dpkg_Version.t
    ["10a:5.2", "has an epoch that is not a number"],
    ["5.2@3-2", "has an invalid character in the upstream part"],
    ["foo5.2", "does not start with a digit"],
  ])("%j %s", (version, problem) => {
    expect(versionProblem(version)).toBe(problem);
  });

  test.each([
    "1",
    "0:1.2-3",
    "2.10-3+ci1",
    "1:1.0~rc1-0ubuntu1~22.04.1",
    "1.0-1-2",
  ])("%s is right", (version) => {
    expect(versionProblem(version)).toBeUndefined();
  });
});
