import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { NeedingPackage } from "../../debian/broken.ts";
import { wordsOf } from "../../debian/blanks.ts";
import type { Stanza } from "../../debian/deb822.ts";
import { linesOf, parseDeb822 } from "../../debian/deb822.ts";
import { notNow } from "../../domain/error.ts";
import type { Publication } from "./archive.ts";

/** A package's file in a pool; `path` is relative to the repository, `size` in bytes. */
export interface PoolFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** A publication with its files. */
export interface PublishedPackage extends Publication {
  readonly files: readonly PoolFile[];
}

/** An index file listed in a Release file; `path` is relative to that file. */
export interface IndexFile {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** Its name in by-hash/: MD5Sum, SHA1, SHA256, SHA512. */
  readonly algorithm: string;
  readonly hash: string;
}

/** The index files of a Release file (deb822; DebianRepository/Format). */
export function indexFilesOf(release: string): IndexFile[] {
  const [stanza] = parseDeb822(release);
  return ["MD5Sum", "SHA1", "SHA256", "SHA512"].flatMap((algorithm) =>
    linesOf(stanza?.get(algorithm) ?? "").map((line) => {
      const [hash, size, path] = wordsOf(line);
      if (hash === undefined || path === undefined || !/^[!-~]+$/.test(path))
        throw notNow(`a Release file has the line ${JSON.stringify(line)}`);
      return { path, size: Number(size), algorithm, hash };
    }),
  );
}

/** A package as an index has it. */
interface IndexedPackage {
  readonly published: PublishedPackage;
  readonly needing: NeedingPackage;
}

/** By kind and text, the stanzas that were read: most of an archive's do not change with a publication. */
export type KnownStanzas = Map<string, readonly IndexedPackage[]>;

/**
 * Everything that a distribution (dists/SERIES) publishes, according to its indexes.
 *
 * @param known the stanzas that need not be read again; those that are read are added
 * @throws UbuntuCiError (75) when an index is not valid for apt
 */
export async function readPublished(
  distribution: string,
  known?: KnownStanzas,
): Promise<PublishedPackage[]> {
  const found = await readIndexes(distribution, known);
  return found.map(({ published }) => published);
}

/** The same packages, with what they need (DebianRepository/Format). */
export async function readNeeds(
  distribution: string,
  known?: KnownStanzas,
): Promise<NeedingPackage[]> {
  const found = await readIndexes(distribution, known);
  return found.map(({ needing }) => needing);
}

async function readIndexes(
  distribution: string,
  known: KnownStanzas = new Map(),
): Promise<IndexedPackage[]> {
  const packages: IndexedPackage[] = [];
  for (const [path, kind] of await indexesIn(distribution))
    for (const one of packagesIn(await readFile(path, "utf8"), kind, known))
      packages.push(one);
  return packages;
}

/** The packages in a Sources or Packages file. */
export function packagesIn(
  index: string,
  kind: Publication["kind"],
  known: KnownStanzas = new Map(),
): IndexedPackage[] {
  return index.split("\n\n").flatMap((text) => {
    const key = `${kind} ${text}`;
    const found =
      known.get(key) ??
      parseDeb822(text).map((stanza) => ({
        published: kind === "source" ? sourceOf(stanza) : binaryOf(stanza),
        needing: needsOf(stanza, kind),
      }));
    known.set(key, found);
    return found;
  });
}

function needsOf(stanza: Stanza, kind: Publication["kind"]): NeedingPackage {
  const joined = (fields: readonly string[]) =>
    fields.flatMap((field) => stanza.get(field) ?? []).join(", ");
  return {
    kind,
    name: need(stanza, "Package"),
    version: need(stanza, "Version"),
    needs: joined(
      kind === "binary"
        ? ["Pre-Depends", "Depends"]
        : ["Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep"],
    ),
    provides: stanza.get("Provides") ?? "",
    conflicts: kind === "binary" ? joined(["Conflicts", "Breaks"]) : "",
  };
}

/** The Packages and Sources files of a distribution. */
async function indexesIn(
  distribution: string,
): Promise<[path: string, kind: Publication["kind"]][]> {
  const release = await readFile(join(distribution, "Release"), "utf8");
  const paths = new Set(indexFilesOf(release).map(({ path }) => path));
  return [...paths].sort().flatMap((path) => {
    const name = path.split("/").at(-1);
    if (name !== "Packages" && name !== "Sources") return [];
    const kind = name === "Sources" ? "source" : "binary";
    return [[join(distribution, path), kind]];
  });
}

/** Paths of the packages' files in their repository. */
export function pathsOf(packages: readonly PublishedPackage[]): string[] {
  return packages.flatMap(({ files }) => files.map(({ path }) => path));
}

/** Whether the packages include files with all of these SHA-256 digests. */
export function holds(
  packages: readonly PublishedPackage[],
  wanted: ReadonlySet<string>,
): boolean {
  const held = digestsIn(packages);
  return [...wanted].every((sha256) => held.has(sha256));
}

/** SHA-256 digests of the packages' files. */
export function digestsIn(
  packages: readonly PublishedPackage[],
): ReadonlySet<string> {
  return new Set(
    packages.flatMap(({ files }) => files.map(({ sha256 }) => sha256)),
  );
}

/** Whether two lists of packages name the same files with the same contents. */
export function sameFiles(
  a: readonly PublishedPackage[],
  b: readonly PublishedPackage[],
): boolean {
  const listed = (all: readonly PublishedPackage[]) =>
    all
      .flatMap(({ files }) => files.map(({ path, sha256 }) => path + sha256))
      .sort()
      .join("\n");
  return listed(a) === listed(b);
}

function sourceOf(stanza: Stanza): PublishedPackage {
  const name = need(stanza, "Package");
  const folder = need(stanza, "Directory");
  return {
    kind: "source",
    name,
    version: need(stanza, "Version"),
    architecture: "source",
    source: name,
    files: linesOf(need(stanza, "Checksums-Sha256")).map((line) => {
      const [sha256 = "", size, file = ""] = wordsOf(line);
      return { path: `${folder}/${file}`, size: Number(size), sha256 };
    }),
  };
}

function binaryOf(stanza: Stanza): PublishedPackage {
  const name = need(stanza, "Package");
  return {
    kind: "binary",
    name,
    version: need(stanza, "Version"),
    architecture: need(stanza, "Architecture"),
    // "NAME (VERSION)" when the source has another version (deb-control(5)).
    source: wordsOf(stanza.get("Source") ?? name)[0] ?? name,
    files: [
      {
        path: need(stanza, "Filename"),
        size: Number(need(stanza, "Size")),
        sha256: need(stanza, "SHA256"),
      },
    ],
  };
}

function need(stanza: Stanza, field: string): string {
  const value = stanza.get(field);
  if (value === undefined || value === "") {
    throw notNow(
      `an index has no ${field} for ${stanza.get("Package") ?? "a package"}`,
    );
  }
  return value;
}

/** Those that are among these packages. */
export function among(
  needing: readonly NeedingPackage[],
  packages: readonly PublishedPackage[],
): NeedingPackage[] {
  const keyOf = ({ kind, name, version }: NeedingPackage | PublishedPackage) =>
    `${kind} ${name} ${version}`;
  const keys = new Set(packages.map(keyOf));
  return needing.filter((one) => keys.has(keyOf(one)));
}
