import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Buildable } from "./build-order.ts";
import { buildOrder, circleInWords } from "./build-order.ts";
import type { Relation } from "./relation.ts";

const source = (name: string, binaries: string[], buildDepends = "") => ({
  source: name,
  binaries,
  buildDepends,
});

const wavesOf = (packages: readonly Buildable[], architecture = "amd64") =>
  buildOrder(packages, architecture).waves;

describe("build order", () => {
  test("a package is built after those whose binaries it build-depends on, however they are named", () => {
    const tool = source(
      "tool",
      ["tool"],
      "debhelper-compat (= 13), libfoo-dev (>= 2) [linux-any] | other",
    );
    const lib = source("libfoo", ["libfoo2", "libfoo-dev"]);
    expect(wavesOf([tool, lib])).toEqual([["libfoo"], ["tool"]]);
  });

  test("independent packages are built side by side", () => {
    expect(wavesOf([source("b", ["b"]), source("a", ["a"])])).toEqual([
      ["a", "b"],
    ]);
  });

  test("a package that build-depends on itself is no circle", () => {
    expect(wavesOf([source("gcc", ["gcc"], "gcc")])).toEqual([["gcc"]]);
  });

  test.each([
    ["amd64", [["lib"], ["a", "c"], ["b"]]],
    ["arm64", [["c", "lib"], ["b"], ["a"]]],
    [
      "armhf",
      [
        ["c", "lib"],
        ["a", "b"],
      ],
    ],
  ])("it is that of the machine, %s", (architecture, waves) => {
    const packages = [
      source("lib", ["lib-dev"]),
      source("a", ["a"], "b [arm64], lib-dev"),
      source("b", ["b"], "c [!armhf], lib-dev [any-arm]"),
      source("c", ["c"], "lib-dev [amd64 i386], b <stage1>"),
    ];
    expect(wavesOf(packages, architecture)).toEqual(waves);
  });

  test("a version that the package of the ticket is not draws nothing behind it", () => {
    const lib = { ...source("lib", ["lib-dev"]), version: "1:2.0-1" };
    const order = (bound: string) =>
      wavesOf([lib, source("app", ["app"], `lib-dev (${bound})`)]);
    expect(order("<< 2")).toEqual([["app", "lib"]]);
    expect(order(">= 1.9")).toEqual([["lib"], ["app"]]);
    // Its binary packages may have another epoch.
    expect(order(">= 1:1.9")).toEqual([["lib"], ["app"]]);
  });

  test("of alternatives only the first counts, as for a build daemon", () => {
    expect(
      wavesOf([source("a", ["a"], "b"), source("b", ["b"], "other | a")]),
    ).toEqual([["b"], ["a"]]);
  });
});

describe("a circle", () => {
  const circle = [
    source("a", ["a"], "b-dev, c"),
    source("b", ["b-dev"], "a"),
    source("c", ["c"]),
    source("d", ["d"], "a"),
  ];
  const has =
    (...names: string[]) =>
    (alternatives: readonly Relation[]) =>
      alternatives.some(({ name }) => names.includes(name));

  test("is named, and what needs it is not built either", () => {
    const { waves, circles } = buildOrder(circle, "amd64");
    expect(waves).toEqual([["c"]]);
    expect(circles.map(circleInWords)).toEqual([
      "a build-depends on b-dev of b, that on a",
    ]);
  });

  test.each([
    ["b-dev", [["c"], ["a"], ["b", "d"]], { a: ["c"], b: ["a"] }],
    ["a", [["c"], ["b"], ["a"], ["d"]], { b: [], a: ["b", "c"] }],
  ])("is opened by %s, which is there already", (there, waves, needs) => {
    const order = buildOrder(circle, "amd64", has(there));
    expect(order.circles).toEqual([]);
    expect(order.waves).toEqual(waves);
    expect(Object.fromEntries(order.needs)).toMatchObject(needs);
  });

  test("beside another one does not hide it", () => {
    const more = [source("x", ["x"], "y"), source("y", ["y"], "x")];
    const { circles } = buildOrder([...circle, ...more], "amd64");
    expect(circles.map(circleInWords)).toEqual([
      "a build-depends on b-dev of b, that on a",
      "x build-depends on y, that on x",
    ]);
  });

  test("within a larger ring is found", () => {
    const ring = [
      source("a", ["a"], "b"),
      source("b", ["b"], "c"),
      source("c", ["c"], "a, b"),
    ];
    const { circles } = buildOrder(ring, "amd64", has("a"));
    expect(circles.map(circleInWords)).toEqual([
      "b build-depends on c, that on b",
    ]);
    expect(buildOrder(ring, "amd64", has("a", "b")).waves).toEqual([
      ["a"],
      ["c"],
      ["b"],
    ]);
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
      const waves = wavesOf(packages.toReversed());
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
