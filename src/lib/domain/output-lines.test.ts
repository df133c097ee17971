import fc from "fast-check";
import { expect, test } from "vitest";

import { lineLimit, outputLines, splitLines } from "./output-lines.ts";

/** The lines of a text that arrives in these pieces. */
function linesOf(pieces: readonly string[]): string[] {
  const lines: string[] = [];
  const splitter = splitLines((line) => lines.push(line));
  for (const piece of pieces) splitter.push(piece);
  splitter.end();
  return lines;
}

const pieces = fc.array(
  fc
    .array(fc.constantFrom("a", "\n", "\r", "é"), { maxLength: 8 })
    .map((list) => list.join("")),
);

test("lines are the same whole and in pieces", () => {
  fc.assert(
    fc.property(pieces, (given) => {
      const text = given.join("");
      const lines = text.split("\n");
      if (lines.at(-1) === "") lines.pop();
      expect(linesOf(given)).toEqual(lines);
      expect([...outputLines(text)]).toEqual(lines);
    }),
  );
});

test("a line that is too long is cut, the next one is whole", () => {
  const long = "x".repeat(lineLimit + 10);
  const cut = "x".repeat(lineLimit);
  expect([...outputLines(`${long}\ny\n`)]).toEqual([cut, "y"]);
  expect(linesOf([long, long, "z\ny"])).toEqual([cut, "y"]);
  expect(linesOf([long.slice(20), "abcdefghijklmno\n"])).toEqual([
    `${"x".repeat(lineLimit - 10)}abcdefghij`,
  ]);
});
