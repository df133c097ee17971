import { execFileSync } from "node:child_process";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { compareVersions, versionProblem } from "./version.ts";

/** Facts that dpkg's and apt's own test suites publish: a, b, and which comes first. */
const vectors: readonly (readonly [string, string, "<" | "=" | ">"])[] = [
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
  ["0foo-0", "0foo", "="],
  ["0foo", "0foo-0", "="],
  ["0foo", "0fo", ">"],
  ["0foo-0", "0foo+", "<"],
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
  ["7.6p2-4", "7.6-0", ">"],
  ["1.0.3-3", "1.0-1", ">"],
  ["1.3", "1.2.2-2", ">"],
  ["1.3", "1.2.2", ">"],
  ["-0", "-0", "="],
  ["0.0.0-0", "0", ">"],
  ["1.2.3", "1.2.3~rc1", ">"],
  ["1.2a+~bCd3", "1.2a++", "<"],
  ["1.2a+~bCd3", "1.2a+~", ">"],
  ["5.10.0", "5.005", ">"],
  ["3a9.8", "3.10.2", "<"],
  ["3~10", "3a9.8", "<"],
  ["1.4+OOo3.0.0~", "1.4+OOo3.0.0-4", "<"],
  ["1.0", "1.0-0", "="],
  ["1.0", "1.0-0~", ">"],
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
