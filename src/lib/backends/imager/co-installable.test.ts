import { expect, test } from "vitest";

import { coInstallable } from "./co-installable.ts";

const binary = (
  name: string,
  fields: { conflicts?: string; depends?: string; provides?: string } = {},
) => ({
  package: name,
  version: "2.0",
  conflicts: "",
  depends: "",
  provides: "",
  ...fields,
});

const choose = (...binaries: ReturnType<typeof binary>[]) =>
  coInstallable(
    binaries.map((one) => one.package),
    binaries,
    "amd64",
  );

test("of two that conflict the first stays, and the other is named with it", () => {
  expect(
    choose(binary("mtr"), binary("mtr-tiny", { conflicts: "mtr, mtr-tiny" })),
  ).toEqual({
    add: ["mtr"],
    leftOut: [{ package: "mtr-tiny", because: "mtr" }],
  });
});

test("the largest set wins over the first name", () => {
  expect(
    choose(
      binary("all-in-one", { conflicts: "part-a, part-b" }),
      binary("part-a"),
      binary("part-b"),
      binary("unrelated"),
    ),
  ).toEqual({
    add: ["part-a", "part-b", "unrelated"],
    leftOut: [{ package: "all-in-one", because: "part-a" }],
  });
});

test("a conflict by version, by a virtual package, or by what a package needs, is one", () => {
  expect(
    choose(binary("a", { conflicts: "b (<< 2.0)" }), binary("b")).add,
  ).toEqual(["a", "b"]);
  expect(
    choose(binary("a", { conflicts: "b (<< 3)" }), binary("b")).add,
  ).toEqual(["a"]);
  const virtual = { provides: "mta", conflicts: "mta" };
  expect(choose(binary("a", virtual), binary("b", virtual)).add).toEqual(["a"]);
  expect(
    choose(
      binary("a"),
      binary("b", { conflicts: "a" }),
      binary("c", { depends: "libc6, b (= 2.0)" }),
      binary("d", { depends: "b | a" }),
    ),
  ).toEqual({
    add: ["b", "c", "d"],
    leftOut: [{ package: "a", because: "b" }],
  });
});

test("many that all conflict take no time", () => {
  const names = Array.from({ length: 200 }, (_, index) => `p${index}`);
  const all = names.join(", ");
  expect(
    choose(...names.map((name) => binary(name, { conflicts: all }))).add,
  ).toHaveLength(1);
});
