import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { buildOrder } from "./build-order.ts";
import { relationsOf } from "./relation.ts";

const source = (name: string, binaries: string[], buildDepends = "") => ({
  source: name,
  binaries,
  buildDepends,
});

describe("build order", () => {
  test("a package is built after those whose binaries it build-depends on, however they are named", () => {
    const tool = source(
      "tool",
      ["tool"],
      "debhelper-compat (= 13), libfoo-dev (>= 2) [linux-any] | other",
    );
    const lib = source("libfoo", ["libfoo2", "libfoo-dev"]);
    expect(buildOrder([tool, lib])).toEqual([["libfoo"], ["tool"]]);
  });

  test("independent packages are built side by side", () => {
    expect(buildOrder([source("b", ["b"]), source("a", ["a"])])).toEqual([
      ["a", "b"],
    ]);
  });

  test("a package that build-depends on itself is no circle", () => {
    expect(buildOrder([source("gcc", ["gcc"], "gcc")])).toEqual([["gcc"]]);
  });

  test("a circle is named", () => {
    expect(() =>
      buildOrder([
        source("a", ["a"], "b"),
        source("b", ["b"], "a"),
        source("c", ["c"]),
      ]),
    ).toThrow("a, b build-depend on each other in a circle");
  });
});

describe("relations", () => {
  test.each([
    ["a, b (>= 1:2-3) | c", ["a", "b", "c"]],
    ["a [!amd64], b [amd64 arm64], c [arm64]", ["b"]],
    ["a <!nocheck>, b <nocheck>, c <!nocheck !nodoc> <stage1>", ["a", "c"]],
    ["python3:any, gcc:native (= 4)", ["python3", "gcc"]],
  ])("%s", (field, names) => {
    expect(relationsOf(field, "amd64").map(({ name }) => name)).toEqual(names);
  });
});

test("each comes as soon as all that it needs are there, whatever needs what", () => {
  const needs = fc.array(fc.array(fc.nat(9), { maxLength: 3 }), {
    minLength: 10,
    maxLength: 10,
  });
  fc.assert(
    fc.property(needs, (wanted) => {
      // Each needs some of those before it, so that there is no circle.
      const packages = wanted.map((others, index) =>
        source(
          `p${index}`,
          [`p${index}`],
          others.map((other) => `p${other % (index + 1)}`).join(", "),
        ),
      );
      const waves = buildOrder(packages.toReversed());
      const waveOf = (name: string) =>
        waves.findIndex((wave) => wave.includes(name));
      for (const { source: name, buildDepends } of packages) {
        const before = buildDepends
          .split(", ")
          .filter((other) => other !== "" && other !== name)
          .map(waveOf);
        expect(waveOf(name)).toBe(Math.max(-1, ...before) + 1);
      }
    }),
  );
});

test("build profiles beside each other, and what is none", () => {
  const names = (field: string) =>
    relationsOf(field, "amd64").map(({ name }) => name);
  expect(names("a <!x> <!y>, b <x> <!y>, c <x>, d <!x><y>")).toEqual([
    "a",
    "b",
    "d",
  ]);
  expect(names("a <!x> y, b <!x, c <")).toEqual([]);
});
