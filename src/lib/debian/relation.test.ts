import { describe, expect, test } from "vitest";

import {
  isWithin,
  relationGroups,
  relationsOf,
  withoutAlternatives,
} from "./relation.ts";

const names = (field: string) =>
  relationsOf(field, "amd64").map(({ name }) => name);

describe("relations", () => {
  test.each([
    ["a, b (>= 1:2-3) | c", ["a", "b", "c"]],
    ["a [!amd64], b [amd64 arm64], c [arm64]", ["b"]],
    ["a [any-amd64], b [linux-any], c [any-i386], d [!linux-any]", ["a", "b"]],
    ["a <!nocheck>, b <nocheck>, c <!nocheck !nodoc> <stage1>", ["a", "c"]],
    ["python3:any, gcc:native (= 4)", ["python3", "gcc"]],
    ["a <!x> <!y>, b <x> <!y>, c <x>, d <!x><y>", ["a", "b", "d"]],
    ["a <!x> y, b <!x, c <", []],
  ])("%s", (field, expected) => {
    expect(names(field)).toEqual(expected);
  });

  test("alternatives stay together, and bounds are read", () => {
    expect(relationGroups("a (>= 1) | b [arm64] | c (<2), d", "amd64")).toEqual(
      [
        [
          { name: "a", bound: { operator: ">=", version: "1" } },
          { name: "c", bound: { operator: "<=", version: "2" } },
        ],
        [{ name: "d", bound: null }],
      ],
    );
  });
});

test.each([
  ["1.0-1", ">= 1.0", true],
  ["1.0~rc1", ">= 1.0", false],
  ["1:0.5", ">> 1.0", true],
  ["2", "<< 2", false],
  ["2", "= 2", true],
  ["2", "<= 1:0", true],
  ["none", ">= 1", false],
])("%s is within %s: %s", (version, bound, expected) => {
  const [group] = relationGroups(`a (${bound})`, "amd64");
  expect(isWithin(version, group?.[0]?.bound ?? null)).toBe(expected);
});

test.each([
  ["absent | zlib1g-dev, b", "absent , b"],
  ["a [i386] | b | c", " b "],
  ["a (<< 1) | a (>> 2) | b", "a (<< 1) | a (>> 2) "],
  ["a | b | a", "a "],
  ["a <nocheck> | b", " b"],
  ["a [i386] | b [i386], c", "a [i386] | b [i386], c"],
  ["a | $(b)", "a | $(b)"],
  ["a\n | b,\n c", "a\n ,\n c"],
])("%j is %j for a build daemon", (field, expected) => {
  expect(withoutAlternatives(field, "amd64")).toBe(expected);
});
