import { textProblem } from "./shown-text.ts";

/** Who a mail is from. */
export interface Mailbox {
  readonly name: string;
  readonly address: string;
}

/** RFC 5321, 4.5.3.1.3: a path has 256 characters with its brackets. */
const longestAddress = 254;

/**
 * Whether a mail can go to that address: a local part without quotes and a domain (RFC 5321, 4.1.2), so
 * that nothing in it can be taken for a second address, a header or an option.
 */
export function isMailAddress(text: string): boolean {
  return (
    text.length <= longestAddress &&
    textProblem(text, "one") === null &&
    /^[^\s@<>()[\]\\,;:"'`|-][^\s@<>()[\]\\,;:"]*@[^\s@<>()[\]\\,;:"'`|-][^\s@<>()[\]\\,;:"'`|]*$/.test(
      text,
    )
  );
}

/** Reads `ADDRESS` or `NAME <ADDRESS>`; null when it is neither. */
export function parseMailbox(text: string): Mailbox | null {
  const named = /^([^<>]*)<([^<>]*)>$/.exec(text.trim());
  const [name, address] =
    named === null
      ? ["", text.trim()]
      : [(named[1] ?? "").trim(), (named[2] ?? "").trim()];
  return textProblem(name, "one") === null && isMailAddress(address)
    ? { name, address }
    : null;
}
