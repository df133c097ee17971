import { isBlank, trimBlanks, trimmed } from "./blanks.ts";

/** A stanza (deb822(5)). Field names keep their spelling; `get` ignores case. */
export interface Stanza {
  /** The fields in order. The lines of a value are joined by newlines. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  get(name: string): string | undefined;
}

/** A text is not deb822; `line` counts from 1. */
export class Deb822Error extends Error {
  override readonly name = "Deb822Error";
  readonly line: number;

  constructor(message: string, line: number) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

/** A stanza made of fields. */
export function stanzaOf(
  fields: readonly (readonly [string, string])[],
): Stanza {
  let byName: Map<string, string> | undefined;
  return {
    fields,
    get(name) {
      byName ??= new Map(
        fields.map(([field, value]) => [field.toLowerCase(), value]),
      );
      return byName.get(name.toLowerCase());
    },
  };
}

interface Deb822Options {
  /** Whether lines that begin with `#` are comments, as in debian/control. */
  readonly comments?: boolean;
}

/**
 * Parses stanzas, which empty lines separate.
 *
 * @throws Deb822Error with the number of the bad line
 */
export function parseDeb822(
  text: string,
  options: Deb822Options = {},
): Stanza[] {
  return [...eachStanza(text, options)];
}

/**
 * Parses one stanza at a time, for callers that need only the first ones.
 *
 * @throws Deb822Error with the number of the bad line
 */
export function* eachStanza(
  contents: string,
  { comments = false }: Deb822Options = {},
): Generator<Stanza> {
  const text = contents.includes("\r") ? withPlainLineEnds(contents) : contents;
  let fields: [name: string, value: string][] = [];
  const names = new Set<string>();
  // The part of the text by which the last field's value continues.
  let from = 0;
  let to = 0;
  const goOn = () => {
    const last = fields.at(-1);
    if (last !== undefined && from < to) last[1] += text.slice(from, to);
  };
  for (let begin = 0, number = 1; begin < text.length; number += 1) {
    const newline = text.indexOf("\n", begin);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(begin, end);
    if (isBlank(line)) {
      goOn();
      if (fields.length > 0) yield stanzaOf(fields);
      fields = [];
      names.clear();
    } else if (comments && line.startsWith("#")) {
      // A comment.
    } else if (line.startsWith(" ") || line.startsWith("\t")) {
      if (endsForOthers(line))
        throw new Deb822Error(
          "a line of control characters, which ends the stanza for other readers",
          number,
        );
      if (fields.length === 0)
        throw new Deb822Error("a continuation line without a field", number);
      if (to !== begin - 1) {
        goOn();
        from = begin - 1;
      }
      to = end;
    } else {
      goOn();
      const colon = line.indexOf(":");
      const name = line.slice(0, Math.max(colon, 0));
      if (!/^[!-"$-,.-9;-~][!-9;-~]*$/.test(name))
        throw new Deb822Error("not a field (NAME: VALUE)", number);
      const key = name.toLowerCase();
      if (names.has(key))
        throw new Deb822Error(`the field ${name} is there twice`, number);
      names.add(key);
      fields.push([name, trimmed(line.slice(colon + 1), " \t", " \t\r")]);
      from = end;
      to = end;
    }
    begin = end + 1;
  }
  goOn();
  if (fields.length > 0) yield stanzaOf(fields);
}

/** The text without carriage returns at the ends of its lines. */
function withPlainLineEnds(text: string): string {
  return text
    .split("\n")
    .map((line) => trimmed(line, "", "\r"))
    .join("\n");
}

/**
 * Whether dpkg (Perl) or python3-debian treat a line as empty, since more characters are blanks to
 * them than space and tab. They would end the stanza there and read different contents than we do.
 */
function endsForOthers(line: string): boolean {
  const others = " \t\v\f\x1c\x1d\x1e\x1f";
  return trimmed(line, others, others) === "";
}

/** Writes stanzas as deb822, from which the parser reads the same fields and values. */
export function serialiseDeb822(stanzas: readonly Stanza[]): string {
  return stanzas
    .map(({ fields }) =>
      fields
        .map(
          ([name, value]) =>
            `${name}:${value === "" || value.startsWith("\n") ? "" : " "}${value}\n`,
        )
        .join(""),
    )
    .join("\n");
}

/** The lines of a multiline field, without blanks around them and without empty ones. */
export function linesOf(value: string): string[] {
  return value
    .split("\n")
    .map(trimBlanks)
    .filter((line) => line !== "");
}

/** The parts of an OpenPGP clear-signed message (RFC 9580, section 7). */
export interface ClearSigned {
  /** The signed text: without dash escapes, and without trailing white space, which is not signed. */
  readonly text: string;
  /** The armour headers, such as `Hash: SHA512`. */
  readonly headers: readonly string[];
  /** The lines between the BEGIN and END lines of the signature. */
  readonly signature: readonly string[];
}

/**
 * Splits a clear-signed message into its parts; undefined for a text without armour. Only armour at the
 * start of a line counts, since continuation lines start with a blank. Text outside the message is an
 * error: some readers would skip it, and others not.
 *
 * @throws Deb822Error for broken armour, or text outside the message
 */
export function clearSigned(text: string): ClearSigned | undefined {
  if (!hasArmour(text)) return undefined;
  const lines = trimmedLines(text);
  const begin = "-----BEGIN PGP SIGNED MESSAGE-----";
  if (lines[0] !== begin)
    throw new Deb822Error(
      hasArmour(lines[0] ?? "")
        ? "another OpenPGP message than a clear-signed one (debsign makes one)"
        : "text before the signed message",
      1,
    );
  const blank = lines.indexOf("");
  const signature = lines.indexOf("-----BEGIN PGP SIGNATURE-----");
  const end = lines.indexOf("-----END PGP SIGNATURE-----");
  if (blank < 0 || signature < blank || end < signature)
    throw new Deb822Error("the signed message is cut short", lines.length);
  if (end !== lines.length - 1)
    throw new Deb822Error("text after the signed message", end + 2);
  const another = lines.indexOf(begin, 1);
  if (another >= 0)
    throw new Deb822Error("a signed message inside another", another + 1);
  const body = lines
    .slice(blank + 1, signature)
    .map((line) => (line.startsWith("- ") ? line.slice(2) : line));
  while (body.at(-1) === "") body.pop();
  return {
    text: `${body.join("\n")}\n`,
    headers: lines.slice(1, blank),
    signature: lines.slice(signature + 1, end),
  };
}

/**
 * The text inside a clear-signed message, or the text itself when it has no armour. The signature is
 * not verified.
 *
 * @throws Deb822Error as {@link clearSigned}
 */
export function withoutSignature(text: string): {
  readonly text: string;
  readonly signed: boolean;
} {
  const inside = clearSigned(text);
  return inside === undefined
    ? { text, signed: false }
    : { text: inside.text, signed: true };
}

/** Whether a line of a text begins OpenPGP armour. */
export function hasArmour(text: string): boolean {
  const armour = "-----BEGIN PGP";
  return text.startsWith(armour) || text.includes(`\n${armour}`);
}

/** The lines of a text without trailing white space, which is not signed, and without empty lines at the end. */
export function trimmedLines(text: string): string[] {
  const lines = text.split("\n").map((line) => trimmed(line, "", " \t\r"));
  while (lines.at(-1) === "") lines.pop();
  return lines;
}
