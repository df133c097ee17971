import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { shownText } from "../domain/shown-text.ts";
import { lineHtml, lineText } from "./log-line.ts";

const html = (line: string) => lineHtml(line).html;

/** All tags that a line may have: the colours. */
const colour = /<span class="ansi-[a-z-]+(?: ansi-[a-z-]+)*">|<\/span>/g;

/** What a browser shows of HTML that has no other tags. */
function textOf(shown: string): string {
  const text = shown.replaceAll(colour, "");
  expect(text).not.toMatch(/[<>]/);
  const entities: Readonly<Record<string, string>> = {
    "&amp;": "&",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#x27;": "'",
  };
  return text.replaceAll(/&[^;]*;/g, (entity) => {
    expect(entities).toHaveProperty([entity]);
    return entities[entity] ?? "";
  });
}

describe("a line of a log", () => {
  test("is text, whatever it looks like", () => {
    expect(html("<script>alert(1)</script> & 'quotes'")).toBe(
      "&lt;script&gt;alert(1)&lt;/script&gt; &amp; 'quotes'",
    );
  });

  test("has the colours of gcc", () => {
    const line =
      "\x1b[01m\x1b[Ka.c:1:\x1b[m\x1b[K \x1b[01;31m\x1b[Kerror: \x1b[m\x1b[Kx";
    expect(html(line)).toBe(
      '<span class="ansi-bold">a.c:1:</span> <span class="ansi-bold ansi-red-fg">error: </span>x',
    );
    expect(lineText(line)).toBe("a.c:1: error: x");
  });

  test.each([
    ["38;5;208", "ansi-yellow-fg"],
    ["38;2;10;200;30", "ansi-green-fg"],
    ["38;2;120;120;120", "ansi-bright-black-fg"],
    ["48;5;21", "ansi-blue-bg"],
    ["91;102", "ansi-bright-red-fg ansi-bright-green-bg"],
    ["2;3;4", "ansi-faint ansi-italic ansi-underline"],
  ])("has no style of its own, but a class: %s", (codes, classes) => {
    expect(html(`\x1b[${codes}mx`)).toBe(`<span class="${classes}">x</span>`);
  });

  test("ends its colours itself", () => {
    html("\x1b[31mred");
    expect(html("\x1b[1mbold")).toBe('<span class="ansi-bold">bold</span>');
  });

  test("shows as escapes what a terminal would obey, and no links", () => {
    expect(html("\x1b]8;;javascript:x\x07a\x1b]8;;\x07")).toBe(
      String.raw`\x1b]8;;javascript:x\x07a\x1b]8;;\x07`,
    );
    expect(html("\x1b[2J\x1b[10A\x1b[?25l\0\x7f\b\u202e")).toBe(
      String.raw`\x1b[2J\x1b[10A\x1b[?25l\x00\x7f\x08\u202e`,
    );
  });

  test("shows the last state of progress, with the colour set before", () => {
    const line = "(Reading \r\x1b[32m(Reading 5%\rdone\r";
    expect(lineHtml(line)).toEqual({
      html: '<span class="ansi-green-fg">done</span>',
      isLastState: true,
    });
    expect(lineHtml("DOS\r")).toEqual({ html: "DOS", isLastState: false });
    expect(lineHtml("\r")).toEqual({ html: "", isLastState: false });
  });

  test("loses colours that would make it many times as long", () => {
    const line = "\x1b[1;3;4;91;102mx\x1b[1mx".repeat(500);
    expect(html(line)).toBe("x".repeat(1000));
  });

  test("never gets a tag or an attribute from its text, and loses none of it", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        ...["\x1b", "\x1b[", "\x1b[31", "\x1b[0;1m", "\x1b[48;5;9m", "\x1b[K"],
        ...["\x1b]8;;", "\x07", "\r", "\0", "<", ">", "&", '"', "'", "&lt;"],
        ...["<script>", '<span class="', ' style="', "</pre>", "\u202e"],
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const line = pieces.join("").replaceAll("\n", "");
        const shown = lineHtml(line).html;
        expect(textOf(shown)).toBe(lineText(line));
        expect(shownText(lineText(line))).toBe(lineText(line));
      }),
      { numRuns: 500 },
    );
  });

  test("without escape sequences is what all the program shows of it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const line = text.replaceAll(/[\n\r]/g, "").replaceAll("\x1b[", "");
        expect(textOf(html(line))).toBe(shownText(line));
      }),
    );
  });
});
