import fc from "fast-check";
import { expect, test } from "vitest";

import { isBlank, listOf, trimBlanks, trimValue, wordsOf } from "./blanks.ts";

const texts = fc
  .array(fc.constantFrom(" ", "\t", "\n", "\r", ",", "a", "\u00a0", "\f"), {
    maxLength: 16,
  })
  .map((list) => list.join(""));

test("only space and tab are blank", () => {
  expect(isBlank(" \t ")).toBe(true);
  for (const other of ["\u00a0", "\u3000", "\f", "\v", "\ufeff", "\r"])
    expect(isBlank(` ${other}\t`)).toBe(false);
});

test("does what patterns do, in linear time", () => {
  fc.assert(
    fc.property(texts, (text) => {
      const words = (separators: RegExp) =>
        text.split(separators).filter((word) => word !== "");
      expect(trimBlanks(text)).toBe(text.replace(/^[ \t]+|[ \t]+$/g, ""));
      expect(trimValue(text)).toBe(text.replace(/^[ \t\n]+|[ \t\n]+$/g, ""));
      expect(wordsOf(text)).toEqual(words(/[ \t\n]+/));
      expect(listOf(text)).toEqual(words(/[ \t\n,]+/));
    }),
  );
});
