/** One stanza of fields (deb822(5)); names keep their spelling and are found whatever their case. */
export interface Stanza {
  /** Fields in their order: name and value, continuation lines joined by newline with their indent taken off. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  get(name: string): string | undefined;
}

/** Something that is not deb822; line counts from 1. */
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
  const byName = new Map(
    fields.map(([name, value]) => [name.toLowerCase(), value]),
  );
  return { fields, get: (name) => byName.get(name.toLowerCase()) };
}

/**
 * Parses stanzas separated by empty lines. Comments (`#` lines) are only taken where the format has
 * them, which is debian/control.
 *
 * @throws Deb822Error with the number of the line that is wrong
 */
export function parseDeb822(
  text: string,
  options: { readonly comments?: boolean } = {},
): Stanza[] {
  const stanzas: Stanza[] = [];
  let fields: [string, string][] = [];
  let names = new Set<string>();
  const flush = () => {
    if (fields.length > 0) stanzas.push(stanzaOf(fields));
    fields = [];
    names = new Set();
  };
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  for (const [index, raw] of lines.entries()) {
    const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    if (line.trim() === "") {
      flush();
    } else if (line.startsWith("#") && options.comments === true) {
      continue;
    } else if (line.startsWith(" ") || line.startsWith("\t")) {
      const last = fields.at(-1);
      if (last === undefined)
        throw new Deb822Error("a continuation line without a field", index + 1);
      last[1] += `\n${line}`;
    } else {
      const colon = line.indexOf(":");
      const name = line.slice(0, Math.max(colon, 0));
      if (!/^[!-"$-,.-9;-~][!-9;-~]*$/.test(name))
        throw new Deb822Error("not a field (NAME: VALUE)", index + 1);
      const key = name.toLowerCase();
      if (names.has(key))
        throw new Deb822Error(`the field ${name} is there twice`, index + 1);
      names.add(key);
      fields.push([
        name,
        line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, ""),
      ]);
    }
  }
  flush();
  return stanzas;
}

/** Writes stanzas as deb822; what was parsed comes out with the same fields and values. */
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

/** The lines of a multiline field, without indent and empty first line. */
export function linesOf(value: string): string[] {
  return value
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/**
 * The text inside one OpenPGP clear-signed message (RFC 4880, section 7), or the text itself when
 * there is no armour. Nothing may stand before or after the message: a reader that skips what is
 * outside and one that does not would see different files.
 *
 * @throws Deb822Error when the armour is broken or something stands outside
 */
export function withoutSignature(text: string): {
  readonly text: string;
  readonly signed: boolean;
} {
  const begin = "-----BEGIN PGP SIGNED MESSAGE-----";
  if (!text.includes("-----BEGIN PGP")) return { text, signed: false };
  const lines = text.split("\n").map((line) => line.replace(/[ \t\r]+$/, ""));
  while (lines.at(-1) === "") lines.pop();
  if (lines[0] !== begin)
    throw new Deb822Error("text before the signed message", 1);
  const blank = lines.indexOf("");
  const signature = lines.indexOf("-----BEGIN PGP SIGNATURE-----");
  const end = lines.indexOf("-----END PGP SIGNATURE-----");
  if (blank < 0 || signature < blank || end < signature)
    throw new Deb822Error("the signed message is cut short", lines.length);
  if (end !== lines.length - 1)
    throw new Deb822Error("text after the signed message", end + 2);
  if (lines.indexOf(begin, 1) >= 0)
    throw new Deb822Error(
      "a signed message inside another",
      lines.indexOf(begin, 1) + 1,
    );
  const body = lines
    .slice(blank + 1, signature)
    .map((line) => (line.startsWith("- ") ? line.slice(2) : line));
  return { text: `${body.join("\n")}\n`, signed: true };
}
