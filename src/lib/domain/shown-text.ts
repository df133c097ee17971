/**
 * Makes texts of others safe to show: uploads, build output, file names, command lines. This is the
 * only such clean-up, and all text that leaves the program goes through it. A character that a terminal
 * or browser would obey, or that is invisible, is shown as its number.
 */

/**
 * Characters that are not shown as they are: controls (C0, DEL, C1), halves of surrogate pairs, line
 * and paragraph separators, and whatever is invisible or turns the direction of the text around
 * (Unicode's Default_Ignorable_Code_Point, UAX #44, and the interlinear annotations). The selectors
 * between a black-and-white and a coloured sign may stay: they hide nothing.
 */
const hidden =
  /(?![\ufe0e\ufe0f])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{DI}\ufff9-\ufffb]/gu;

/** Line breaks and tabs, which become one blank in a text of one line. */
const breaks = /(?:\r\n|[\n\t])+/g;

/** How much of a line of a tool's output is shown. */
const longestLine = 64 * 1024;

/**
 * Text of several lines: line ends and tabs stay, everything else that is hidden becomes visible, as
 * `\x1b` or `\u202e`. Cleaning it again changes nothing.
 */
export function shownText(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replaceAll(hidden, (found) =>
      found === "\n" || found === "\t" ? found : escaped(found),
    );
}

/** The same as one line: line breaks and tabs become blanks, so that it cannot imitate another line. */
export function oneLine(text: string): string {
  return shownText(text.replaceAll(breaks, " ")).trim();
}

/** Joins lines to a text of exactly as many lines, whatever they contain; indentation stays. */
export function textOfLines(lines: readonly string[]): string {
  return lines
    .map((line) => shownText(line.replaceAll(breaks, " ")))
    .join("\n");
}

/** A line of a tool's output, which may be of any length. */
export function outputLine(line: string): string {
  const rest = line.length - longestLine;
  return rest > 0
    ? `${oneLine(line.slice(0, longestLine))} … (${rest} more characters)`
    : oneLine(line);
}

/**
 * A value as JSON in which every hidden character is escaped: what is read from it is the same.
 *
 * @param indent blanks a level; 0: all in one line
 */
export function shownJson(
  value: unknown,
  indent = 0,
  replacer?: (key: string, value: unknown) => unknown,
): string {
  // The line ends are the document's own: JSON.stringify has escaped those of the texts in it.
  return JSON.stringify(value, replacer, indent).replaceAll(hidden, (found) =>
    found === "\n" ? found : jsonEscaped(found),
  );
}

/**
 * What is wrong with a text that a person typed, such as an invisible character; null when nothing is.
 *
 * @param lines whether it may have several lines
 */
export function textProblem(
  text: string,
  lines: "one" | "many",
): string | null {
  if (lines === "one" && /[\r\n]/.test(text)) return "has more than one line";
  const found = text
    .replaceAll("\r\n", "\n")
    .match(hidden)
    ?.find((one) => one !== "\n" && one !== "\t");
  return found === undefined
    ? null
    : `has a character that cannot be seen (${escaped(found)}): "${oneLine(text.slice(0, 200))}"`;
}

/** `\x1b`, `\u202e`, `\u{e0001}`. */
function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const digits = code.toString(16);
  if (code <= 0xff) return `\\x${digits.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, "0")}` : `\\u{${digits}}`;
}

/** JSON writes a character beyond U+FFFF as its two halves (RFC 8259, 7). */
function jsonEscaped(character: string): string {
  return character
    .split("")
    .map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}
