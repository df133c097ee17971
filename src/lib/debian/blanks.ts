/** The only blanks in deb822(5); U+00A0 and form feeds are content. */
const blanks = " \t";

/** Whether a line is empty or has only blanks. */
export function isBlank(line: string): boolean {
  return trimBlanks(line) === "";
}

/** A text without leading and trailing blanks. */
export function trimBlanks(text: string): string {
  return trimmed(text, blanks, blanks);
}

/** A field's value without leading and trailing blanks and newlines. */
export function trimValue(value: string): string {
  return trimmed(value, `${blanks}\n`, `${blanks}\n`);
}

/**
 * Trims characters from the start and the end of a text. It is a loop, since a regular expression for
 * the end takes quadratic time on long runs of blanks.
 */
export function trimmed(text: string, before: string, after: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && before.includes(text.charAt(from))) from += 1;
  while (from < to && after.includes(text.charAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

/** The words of a line or a value, separated by blanks and newlines. */
export function wordsOf(text: string): string[] {
  return separated(text, isSpace);
}

/** The words of a value in which commas separate words, too. */
export function listOf(text: string): string[] {
  return separated(text, (code) => isSpace(code) || code === 0x2c);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a;
}

function separated(
  text: string,
  isSeparator: (code: number) => boolean,
): string[] {
  const words: string[] = [];
  let begin = 0;
  for (let at = 0; at <= text.length; at += 1) {
    if (at < text.length && !isSeparator(text.charCodeAt(at))) continue;
    if (at > begin) words.push(text.slice(begin, at));
    begin = at + 1;
  }
  return words;
}
