import { createHash } from "node:crypto";
import { lstatSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { Damage } from "../../domain/error.ts";
import { namesIn } from "../../files/names-in.ts";
import { ifExistsSync, isThere } from "../../files/optional-file.ts";
import { writePublicFile } from "../../files/public-files.ts";
import type { PublishedPackage } from "./index-files.ts";

/** By series, what a revision publishes. */
export type Publications = Readonly<
  Record<string, readonly PublishedPackage[]>
>;

/**
 * By series, the names of the lists that together hold what a revision publishes; each belongs to a
 * group of source packages. A list is named after its contents and never changes: revisions share those
 * of all the groups that they agree on.
 */
export type ListNames = Readonly<
  Record<string, Readonly<Record<string, string>>>
>;

/** Which lists are read. */
export interface ListChoice {
  /** Left out, since the reader knows them; those that are read are added. */
  readonly known?: Set<string>;
  /** Only what belongs to this source package is wanted. */
  readonly source?: string;
}

/** In a repository's root. */
export const listsFolder = ".packages";

/** So few that they are soon read, and so many that a publication writes a small part of all packages anew. */
const groups = 64;

/** The group that a source package belongs to. */
export function groupOf(source: string): string {
  let sum = 0;
  for (const character of source)
    sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return String(sum % groups);
}

/** Writes those lists that are not there yet, and returns the names of all. */
export async function writeLists(
  root: string,
  publications: Publications,
): Promise<ListNames> {
  const named: [string, Record<string, string>][] = [];
  for (const [series, packages] of Object.entries(publications)) {
    const names: Record<string, string> = {};
    for (const [group, members] of grouped(packages)) {
      const text = `${JSON.stringify(members)}\n`;
      const name = digestOf(text);
      const file = join(root, listsFolder, name);
      if (!isThere(file)) await writePublicFile(file, text);
      names[group] = name;
    }
    named.push([series, names]);
  }
  return Object.fromEntries(named);
}

function grouped(
  packages: readonly PublishedPackage[],
): ReadonlyMap<string, PublishedPackage[]> {
  const found = new Map<string, PublishedPackage[]>();
  for (const one of [...packages].sort(inOrder)) {
    const group = groupOf(one.source);
    const members = found.get(group) ?? [];
    found.set(group, members);
    members.push(one);
  }
  return found;
}

/** By source package, and there the source before its binaries. */
function inOrder(one: PublishedPackage, other: PublishedPackage): number {
  const keysOf = ({ source, kind, name, version }: PublishedPackage) => [
    ...[source, kind === "source" ? "0" : "1", name, version],
  ];
  const [keys, others] = [keysOf(one), keysOf(other)];
  const differing = keys.findIndex((key, index) => key !== others[index]);
  if (differing < 0) return 0;
  return (keys[differing] ?? "") < (others[differing] ?? "") ? -1 : 1;
}

/**
 * Reads lists of a repository.
 *
 * @throws Damage when one is missing or has other contents
 */
export function readLists(
  root: string,
  lists: ListNames,
  { known, source }: ListChoice = {},
): Publications {
  const read: [string, PublishedPackage[]][] = [];
  for (const [series, names] of Object.entries(lists)) {
    const packages: PublishedPackage[] = [];
    for (const [group, name] of Object.entries(names)) {
      if (source !== undefined && group !== groupOf(source)) continue;
      if (known?.has(name) === true) continue;
      for (const one of readList(root, name)) packages.push(one);
      known?.add(name);
    }
    read.push([series, packages]);
  }
  return Object.fromEntries(read);
}

/** The lists that were read last: a publication reads the same ones several times. */
const lastRead = new Map<
  string,
  { seen: string; packages: PublishedPackage[] }
>();
const mostLastRead = 4 * groups;

function readList(root: string, name: string): readonly PublishedPackage[] {
  const file = join(root, listsFolder, name);
  const stats = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  const seen = stats && `${stats.ino} ${stats.size} ${stats.ctimeNs}`;
  const last = lastRead.get(file);
  if (last !== undefined && last.seen === seen) return last.packages;
  const packages = readWhole(file, name);
  if (seen !== undefined) {
    if (lastRead.size >= mostLastRead) lastRead.clear();
    lastRead.set(file, { seen, packages });
  }
  return packages;
}

function readWhole(file: string, name: string): PublishedPackage[] {
  const text = ifExistsSync(() => readFileSync(file, "utf8"));
  if (text === undefined)
    throw new Damage(`the archive is damaged: ${file} is missing`);
  if (digestOf(text) !== name)
    throw new Damage(
      `the archive is damaged: ${file} does not hold what was written to it`,
    );
  return JSON.parse(text) as PublishedPackage[];
}

/** Whether a record names lists as {@link writeLists} does. */
export function isListNames(found: unknown): found is ListNames {
  return (
    isRecord(found) &&
    Object.values(found).every(
      (names) =>
        isRecord(names) &&
        Object.values(names).every(
          (name) => typeof name === "string" && /^[0-9a-f]{64}$/.test(name),
        ),
    )
  );
}

/** Paths of lists in their repository. */
export function listPaths(lists: ListNames): string[] {
  return Object.values(lists).flatMap((names) =>
    Object.values(names).map((name) => join(listsFolder, name)),
  );
}

/**
 * Removes the lists that none of these revisions names.
 *
 * @param remove what to do with each, by its path in the repository
 */
export async function removeOtherLists(
  root: string,
  kept: readonly ListNames[],
  remove = (path: string) => rm(join(root, path)),
): Promise<void> {
  const named = new Set(kept.flatMap(listPaths));
  for (const name of await namesIn(join(root, listsFolder))) {
    const path = join(listsFolder, name);
    if (!named.has(path)) await remove(path);
  }
}

function isRecord(found: unknown): found is Record<string, unknown> {
  return typeof found === "object" && found !== null && !Array.isArray(found);
}

const digestOf = (text: string) =>
  createHash("sha256").update(text).digest("hex");
