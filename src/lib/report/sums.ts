/**
 * Lists of checksums in the format of sha256sum(1). Each folder of a report has one of all that is below
 * it, except for folders with a list of their own: of those it has the sum of the list. So the signature
 * of the first list covers every file, and a change makes few lists new.
 */

/** Name of a folder's list. */
export const sumsFile = "SHA256SUMS";
/** Name of the signature of the report's first list. */
export const signatureFile = "SHA256SUMS.asc";

/** Checksums (SHA-256 in hex) by path, relative to the folder of the list. */
export type Sums = Map<string, string>;

/** The lines of a list, by path. */
export function formatSums(sums: ReadonlyMap<string, string>): string {
  return [...sums]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([path, sum]) => `${sum}  ${path}\n`)
    .join("");
}

const line = /^([0-9a-f]{64}) [ *]([^\\\n\0]+)$/;

/**
 * Reads a list.
 *
 * @returns undefined when a line is not a checksum and a path that stays below the folder, or a path
 *   comes twice
 */
export function parseSums(text: string): Sums | undefined {
  if (text !== "" && !text.endsWith("\n")) return undefined;
  const sums: Sums = new Map();
  for (const one of text.split("\n").slice(0, -1)) {
    const [, sum = "", path = ""] = line.exec(one) ?? [];
    if (!staysBelow(path) || sums.has(path)) return undefined;
    sums.set(path, sum);
  }
  return sums;
}

function staysBelow(path: string): boolean {
  return path
    .split("/")
    .every((part) => part !== "" && part !== "." && part !== "..");
}
