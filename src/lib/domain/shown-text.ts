/**
 * Makes untrusted text safe to show: uploads, build output, file names, command lines. No other module
 * does this, and all text that leaves the program passes through here. A character that is invisible, or
 * that a terminal or browser would interpret, is replaced by its code point.
 */

/**
 * Characters to escape: controls (C0, DEL, C1), lone surrogates, line and paragraph separators, and
 * whatever is invisible or changes the direction of the text (Unicode's Default_Ignorable_Code_Point,
 * UAX #44, and the interlinear annotations). The variation selectors for text and emoji style are kept,
 * because they hide nothing.
 */
// In a function, since most commands show nothing but ASCII, and V8 takes milliseconds to make it.
const hidden = () =>
  /(?![\ufe0e\ufe0f])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{DI}\ufff9-\ufffb]/gu;

/** Text in which nothing is hidden: most of all text. */
const visible = /^[\t\n\x20-\x7e]*$/;

/** Runs of line breaks and tabs, which become one space in single-line text. */
const breaks = /(?:\r\n|[\n\t])+/g;

/** How many UTF-16 units of a line of a tool's output are shown. */
const longestLine = 64 * 1024;

/**
 * Escapes multi-line text: line ends and tabs are kept, every other hidden character becomes visible, as
 * `\x1b` or `\u202e`. Idempotent.
 */
export function shownText(text: string): string {
  if (visible.test(text)) return text;
  return text
    .replaceAll("\r\n", "\n")
    .replaceAll(hidden(), (found) =>
      found === "\n" || found === "\t" ? found : escaped(found),
    );
}

/** Escapes text into one line: line breaks and tabs become spaces, so that it cannot fake further lines. */
export function oneLine(text: string): string {
  return shownText(text.replaceAll(breaks, " ")).trim();
}

/** Joins lines into a text of exactly as many lines, whatever they contain; indentation is kept. */
export function textOfLines(lines: readonly string[]): string {
  return lines
    .map((line) => shownText(line.replaceAll(breaks, " ")))
    .join("\n");
}

/** Escapes a line of a tool's output, and cuts it if it is too long. */
export function outputLine(line: string): string {
  const rest = line.length - longestLine;
  return rest > 0
    ? `${oneLine(line.slice(0, longestLine))} … (${rest} more characters)`
    : oneLine(line);
}

/**
 * A value as JSON in which every hidden character is escaped; parsing it gives the same value.
 *
 * @param indent spaces per level; 0: a single line
 */
export function shownJson(
  value: unknown,
  indent = 0,
  replacer?: (key: string, value: unknown) => unknown,
): string {
  // Line ends are those of the document: JSON.stringify has escaped the ones inside texts.
  const text = JSON.stringify(value, replacer, indent);
  if (visible.test(text)) return text;
  return text.replaceAll(hidden(), (found) =>
    found === "\n" ? found : jsonEscaped(found),
  );
}

/**
 * What is wrong with a text that a person entered, such as an invisible character; null when nothing is.
 *
 * @param lines whether the text may have several lines
 */
export function textProblem(
  text: string,
  lines: "one" | "many",
): string | null {
  if (lines === "one" && /[\r\n]/.test(text)) return "has more than one line";
  const found = text
    .replaceAll("\r\n", "\n")
    .match(hidden())
    ?.find((one) => one !== "\n" && one !== "\t");
  return found === undefined
    ? null
    : `has a character that cannot be seen (${escaped(found)}): "${oneLine(text.slice(0, 200))}"`;
}

/** A character as an escape sequence: `\x1b`, `\u202e`, `\u{e0001}`. */
function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const digits = code.toString(16);
  if (code <= 0xff) return `\\x${digits.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, "0")}` : `\\u{${digits}}`;
}

/** A character as JSON escapes: beyond U+FFFF as a surrogate pair (RFC 8259, section 7). */
function jsonEscaped(character: string): string {
  return character
    .split("")
    .map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}
