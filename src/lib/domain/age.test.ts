import { expect, test } from "vitest";

import { elapsedInWords, withoutMilliseconds } from "./age.ts";

test.each([
  [0, "0s"],
  [12_400, "12s"],
  [192_000, "3m12s"],
  [3_900_000, "1h05m"],
])("%i ms are %s", (milliseconds, words) => {
  expect(elapsedInWords(milliseconds)).toBe(words);
});

test("times in a text for people have no milliseconds, and other text stays", () => {
  expect(
    withoutMilliseconds("at 2026-11-26T22:30:52.456Z, hello_1.000Z.dsc"),
  ).toBe("at 2026-11-26 22:30:52Z, hello_1.000Z.dsc");
});
