import { expect, test } from "vitest";

import { nearest } from "./nearest.ts";

test.each([
  ["lst", "list"],
  ["ppulate", "populate"],
  ["ilst", "list"],
  ["Add", "add"],
  ["xyz", undefined],
  ["a".repeat(1_000_000), undefined],
])("of %j %j was meant", (typed, meant) => {
  expect(nearest(typed, ["list", "add", "populate"])).toBe(meant);
});
