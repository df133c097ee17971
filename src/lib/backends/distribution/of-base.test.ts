import { expect, test } from "vitest";

import { packagesNamed } from "./of-base.ts";

const list = Buffer.from(`Package: less
Version: 590-2.1
Architecture: amd64
Description: a pager
 Source: no field

Package: libzed1
Source: zed (1:1.0-1)
Version: 1.0-1+b1
Provides: zed-lib (= 1), old-zed
Architecture: amd64

Package: sl
Version: 5.02-1+b1
Source: sl (5.02-1)
Architecture: amd64
`);
const named = (...names: string[]) =>
  packagesNamed(list, new Set(names)).map(({ name }) => name);

test("finds packages by their name, their source, and what they provide", () => {
  expect(named("less", "sl")).toEqual(["less", "sl"]);
  expect(named("zed")).toEqual(["libzed1"]);
  expect(named("old-zed")).toEqual(["libzed1"]);
  expect(named("no", "field", "amd64")).toEqual([]);
});

test("tells a package's source and its version", () => {
  expect(packagesNamed(list, new Set(["libzed1", "less"]))).toEqual([
    {
      ...{ name: "less", version: "590-2.1", provides: "" },
      ...{ source: "less", sourceVersion: "590-2.1" },
    },
    {
      ...{ name: "libzed1", version: "1.0-1+b1" },
      ...{ source: "zed", sourceVersion: "1:1.0-1" },
      provides: "zed-lib (= 1), old-zed",
    },
  ]);
});

test("an empty list has none", () => {
  expect(packagesNamed(Buffer.from(""), new Set(["a"]))).toEqual([]);
});
