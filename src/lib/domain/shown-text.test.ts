import { describe, expect, test } from "vitest";

import {
  oneLine,
  outputLine,
  shownJson,
  shownText,
  textOfLines,
  textProblem,
} from "./shown-text.ts";

/** Text that a terminal, a browser or a reader would misinterpret, and how it is shown. */
const hostile: readonly (readonly [
  what: string,
  text: string,
  seen: string,
])[] = [
  ["a window's title", "\u001b]0;X\u0007", String.raw`\x1b]0;X\x07`],
  ["a cleared screen", "\u001b[2J\u001b[H", String.raw`\x1b[2J\x1b[H`],
  ["the same in C1", "\u009b2J", String.raw`\x9b2J`],
  ["a device's answer", "\u001bP$qm\u001b\\", String.raw`\x1bP$qm\x1b` + "\\"],
  [
    "a link of a terminal",
    "\u001b]8;;http://e\u0007",
    String.raw`\x1b]8;;http://e\x07`,
  ],
  ["the clipboard", "\u009d52;c;AA==\u009c", String.raw`\x9d52;c;AA==\x9c`],
  ["a line written over", "fine\rFAILED", String.raw`fine\x0dFAILED`],
  ["backspaces", "rm\b\bls", String.raw`rm\x08\x08ls`],
  [
    "NUL, DEL, a bell, a form feed",
    "\0\u007f\u0007\f\v",
    String.raw`\x00\x7f\x07\x0c\x0b`,
  ],
  ["shift out and in", "\u000eq\u000f", String.raw`\x0eq\x0f`],
  ["a next line", "a\u0085b", String.raw`a\x85b`],
  [
    "line and paragraph separators",
    "a\u2028b\u2029c",
    String.raw`a\u2028b\u2029c`,
  ],
  [
    "a text turned around",
    "\u202etxt.exe\u202c",
    String.raw`\u202etxt.exe\u202c`,
  ],
  [
    "isolates",
    "\u2066a\u2067b\u2068c\u2069",
    String.raw`\u2066a\u2067b\u2068c\u2069`,
  ],
  ["direction marks", "\u200ea\u200fb\u061c", String.raw`\u200ea\u200fb\u061c`],
  [
    "no width",
    "a\u200bb\u200cc\u200dd\u2060e\ufeff",
    String.raw`a\u200bb\u200cc\u200dd\u2060e\ufeff`,
  ],
  [
    "a hidden hyphen",
    "ali\u00adce",
    String.raw`ali\u00adce`.replace("u00", "x"),
  ],
  ["a blank letter", "a\u3164b", String.raw`a\u3164b`],
  ["tags", "a\u{e0041}\u{e007f}", String.raw`a\u{e0041}\u{e007f}`],
  ["more selectors of a variant", "a\u{e0100}", String.raw`a\u{e0100}`],
  ["halves of a pair", "\ud83d x \ude00", String.raw`\ud83d x \ude00`],
  ["annotations", "\ufff9a\ufffab\ufffb", String.raw`\ufff9a\ufffab\ufffb`],
];

/** Characters that must never be in the output; line ends and tabs are allowed. */
const never =
  // eslint-disable-next-line no-control-regex -- that is what must not be there
  /[\0-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

describe.each(hostile)("%s", (_what, text, seen) => {
  test("is shown", () => {
    expect(shownText(text)).toBe(seen);
    expect(oneLine(text)).toBe(seen);
    expect(outputLine(text)).toBe(seen);
    expect(shownText(text)).not.toMatch(never);
  });

  test("is read back from JSON as it was, and is not in it", () => {
    const json = shownJson({ [text]: [text] }, 2);
    expect(json).not.toMatch(never);
    expect(JSON.parse(json)).toEqual({ [text]: [text] });
  });

  test("is refused in what a person gives", () => {
    expect(textProblem(text, "many")).toContain("cannot be seen");
    expect(textProblem(text, "many")).not.toMatch(never);
  });
});

test("texts that only look unusual stay as they are", () => {
  for (const text of [
    "",
    "Žofie Müller <z@example.org>",
    "שלום",
    "日本語\u3000版",
    "❤\ufe0f 👍🏽",
    "e\u0301",
    "a\u00a0b",
    "backslashes: \\x1b \\n",
    "\ufffd",
  ]) {
    expect(shownText(text)).toBe(text);
    expect(textProblem(text, "one")).toBeNull();
    expect(shownJson(text)).toBe(JSON.stringify(text));
  }
});

test("cleaning twice is cleaning once", () => {
  for (const [, text] of hostile)
    for (const clean of [shownText, oneLine])
      expect(clean(clean(text))).toBe(clean(text));
});

test("line ends and tabs stay where lines are meant, and are blanks where one is", () => {
  const text = "one\r\ntwo\n\tthree\n";
  expect(shownText(text)).toBe("one\ntwo\n\tthree\n");
  expect(oneLine(text)).toBe("one two three");
  expect(textOfLines(["  a\nticket 2: done", "b\tc"])).toBe(
    "  a ticket 2: done\nb c",
  );
  expect(textProblem(text, "many")).toBeNull();
  expect(textProblem(text, "one")).toBe("has more than one line");
});

test("the line ends of a document are its own", () => {
  expect(shownJson({ a: ["\n"] }, 2)).toBe('{\n  "a": [\n    "\\n"\n  ]\n}');
});

test("of a line without an end the beginning is shown", () => {
  const shown = outputLine("x".repeat(1_000_000));
  expect(shown).toMatch(/x … \(934464 more characters\)$/);
  expect(shown.length).toBeLessThan(66_000);
});

test("the time that a text takes grows as the text does", () => {
  for (const shape of ["\u001b", "\r\n", "\n\t", " ", "\u{e0041}"]) {
    const time = (length: number) => {
      const text = shape.repeat(length);
      const begun = process.cpuUsage();
      oneLine(text);
      shownJson(text);
      return process.cpuUsage(begun).user;
    };
    time(20_000);
    // Eight times the length; quadratic time would be 64 times as much.
    expect(time(400_000)).toBeLessThan(30 * Math.max(time(50_000), 10_000));
  }
});
