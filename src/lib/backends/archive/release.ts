import type { Stanza } from "../../debian/deb822.ts";
import { parseDeb822, serialiseDeb822, stanzaOf } from "../../debian/deb822.ts";
import type { IndexFile } from "./index-files.ts";

/** What a Release file says beside its indexes. */
export interface ReleaseTerms {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Milliseconds that it is valid for; null: it has no end, and does not say who signs. */
  readonly validMs: number | null;
  /** Fingerprints of the keys that sign it. */
  readonly signedBy: readonly string[];
  /** The suite that it is to be of, and the revision that this shows; default: as the other one. */
  readonly suite?: { readonly name: string; readonly revision: number };
}

const fieldsFirst = ["Origin", "Label", "Suite", "Version", "Codename"];
const fieldsLast = ["Architectures", "Components", "Description"];

/**
 * The text of a Release file with the fields of another one, new dates, and SHA-256 as its only digest
 * (DebianRepository/Format; apt has refused MD5 and SHA-1 since 1.3).
 *
 * @param like the Release file of the same distribution, ours or aptly's
 * @param indexes with their SHA-256 digests
 */
export function releaseText(
  like: string,
  indexes: readonly Pick<IndexFile, "path" | "size" | "hash">[],
  { at, validMs, signedBy, suite }: ReleaseTerms,
): string {
  const [given] = parseDeb822(like);
  const own =
    suite === undefined
      ? {}
      : {
          Suite: suite.name,
          Codename: suite.name,
          Version: String(suite.revision),
        };
  const fields = new Map(Object.entries(own));
  const taken = (names: readonly string[]) =>
    names.flatMap((name): [string, string][] => {
      const value = fields.get(name) ?? given?.get(name);
      return value === undefined ? [] : [[name, value]];
    });
  const listed = [...indexes]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, size, hash }) => `\n ${hash} ${size} ${path}`);
  return serialiseDeb822([
    stanzaOf([
      ...taken(fieldsFirst),
      ["Date", dateText(at)],
      ...(validMs === null
        ? []
        : ([
            ["Valid-Until", dateText(at + validMs)],
            // Clients that trust several keys hold the next Release file to these, until this one ends.
            ["Signed-By", signedBy.join(",")],
          ] as const)),
      ["Acquire-By-Hash", "yes"],
      ...taken(fieldsLast),
      ["SHA256", listed.join("")],
    ]),
  ]);
}

/** When a field of a Release file says, in milliseconds since 1970; null without the field. */
export function momentIn(
  release: Stanza | undefined,
  field: "Date" | "Valid-Until",
): number | null {
  const moment = Date.parse(release?.get(field) ?? "");
  return Number.isNaN(moment) ? null : moment;
}

/** A date as Debian's Release files have it: "Sat, 14 Nov 2026 09:00:00 UTC". */
function dateText(at: number): string {
  return new Date(at).toUTCString().replace(/GMT$/, "UTC");
}
