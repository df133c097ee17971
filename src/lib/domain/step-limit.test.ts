import { expect, test } from "vitest";

import { stepLimitMs } from "./step-limit.ts";

const limits = { ppa: 1, build: 10, image: 5, test: 20, publish: 3 };

test("a run may take as long as its packages may, one after another, and no longer", () => {
  expect(stepLimitMs(100, 3, limits)).toBe(60_000);
  expect(stepLimitMs(200, 3, limits)).toBe((1 + 3 * 11) * 60_000);
  expect(stepLimitMs(300, 3, limits)).toBe(6 * 60_000);
  expect(stepLimitMs(400, 3, limits)).toBe(61 * 60_000);
  expect(stepLimitMs(500, 3, limits)).toBe(3 * 60_000);
});

test("no limit is longer than a timer can be", () => {
  const days = { ...limits, build: 10_080 };
  expect(stepLimitMs(200, 100, days)).toBe(2 ** 31 - 1);
});
