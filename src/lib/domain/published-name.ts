import { createHash } from "node:crypto";

import {
  compressedName,
  isCompressed,
  uncompressedName,
} from "./compressed-name.ts";

/**
 * The names under which a report publishes the files of uploads, builds and tests, whose names others
 * chose. A web server derives the type from the name, and not always from its last extension: for
 * Apache `a.html.dsc` is a page and `a.php.dsc` a program (mod_mime, "Files with Multiple Extensions").
 * A file of unknown type is rendered as a page by browsers when it looks like one. So a published name
 * ends in one of a few extensions that every server knows and no browser renders, and has no other
 * extension with a meaning.
 */

/** Extensions for which servers have a media type that browsers do not render as a page. */
const kept = /\.(?:deb|udeb|json|txt|bin|txt\.gz|tar\.(?:gz|xz|bz2|zst|lzma))$/;
/** Extensions of plain text that not every server has a media type for. */
const texts = /\.(?:log|dsc|changes|buildinfo|asc)$/;
/** Parts of a name that are harmless between dots: parts of versions, and of names of source packages and logs. */
const innocent =
  /^(?:[0-9][A-Za-z0-9+~_-]*|orig(?:-[A-Za-z0-9-]+)?|debian|build|image|autopkgtest|log|dsc|changes|buildinfo|asc)$/;
/** Longest name without the digest, in bytes; file systems allow 255 in total. */
const longest = 180;

/**
 * The published name of each file of a ticket. The names are unique and do not depend on the order of the
 * files. A changed name that would collide with another gets a `=` and a digest.
 */
export function publishedNames(
  names: readonly string[],
): ReadonlyMap<string, string> {
  const plain = names.map((name) => [name, plainName(name)] as const);
  const wanted = new Map<string, number>();
  for (const [, published] of plain)
    wanted.set(published, (wanted.get(published) ?? 0) + 1);
  return new Map(
    plain.map(([name, published]) => [
      name,
      name === published ||
      (wanted.get(published) === 1 && published.length <= longest)
        ? published
        : distinct(name, published),
    ]),
  );
}

/** All names that a file may have in a report, including its own, which earlier versions used. */
export function possibleNames(name: string): readonly string[] {
  const plain = plainName(name);
  return [...new Set([name, plain, distinct(name, plain)])];
}

/** Name of the folder with a source package's page; it never equals that of a page beside it. */
export function packageFolder(source: string): string {
  return /^[a-z0-9][a-z0-9+.-]*$/.test(source) &&
    source.length <= longest &&
    !source.startsWith("index.")
    ? source
    : `_${digest(source)}`;
}

/** Whether a browser should save the published file instead of showing it, because it is no text. */
export function isDownload(published: string): boolean {
  return !/\.(?:txt|json)$/.test(published);
}

function plainName(name: string): string {
  if (isCompressed(name))
    return compressedName(plainName(uncompressedName(name)));
  const end = kept.exec(name)?.[0] ?? "";
  const [first = "", ...parts] = name
    .slice(0, name.length - end.length)
    .split(".");
  const stem = parts.reduce(
    (before, part) =>
      `${before}${innocent.test(part) ? "." : "_"}${harmless(part)}`,
    harmless(first).replace(/^[^A-Za-z0-9]/, "_"),
  );
  const begun = stem === "" || stem.startsWith(".") ? `_${stem}` : stem;
  if (end !== "") return `${begun}${end}`;
  return `${begun}${texts.test(name) ? ".txt" : ".bin"}`;
}

const harmless = (part: string) => part.replaceAll(/[^A-Za-z0-9+~_-]/g, "_");

function distinct(name: string, published: string): string {
  const end = kept.exec(published)?.[0] ?? "";
  const stem = published.slice(0, published.length - end.length);
  return `${stem.slice(0, longest)}=${digest(name)}${end}`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
