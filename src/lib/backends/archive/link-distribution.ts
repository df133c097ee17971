import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { syncPath } from "../../files/atomic-file.ts";
import { hasCode, isThere } from "../../files/optional-file.ts";
import { linkPublicly, makePublicFolder } from "../../files/public-files.ts";
import { indexFilesOf } from "./index-files.ts";

/**
 * Links the indexes of a new Release file, also by hash, and those of earlier ones by hash: a client that
 * has read an old Release file can still fetch what it names.
 */
export async function linkDistribution(
  from: string,
  before: readonly string[],
  to: string,
): Promise<void> {
  makePublicFolder(to);
  const indexesOf = async (folder: string) =>
    indexFilesOf(await readFile(join(folder, "Release"), "utf8"));
  const indexes = await indexesOf(from);
  // Of a list of contents only the packed one is a file, and both are named, as in Debian's own.
  const there = indexes.filter(({ path }) => isThere(join(from, path)));
  const files = [
    ...["Release", "Release.gpg", "InRelease"],
    ...new Set(there.map(({ path }) => path)),
  ];
  for (const file of files) {
    makePublicFolder(dirname(join(to, file)));
    await linkPublicly(join(from, file), join(to, file));
    await syncPath(join(to, file));
  }
  for (const { path, algorithm, hash } of there)
    await linkByHash(join(to, path), join(to, path), algorithm, hash);
  const linked = new Set<string>();
  for (const folder of before) {
    if (!existsSync(folder)) continue;
    for (const { path, algorithm, hash } of await indexesOf(folder)) {
      // Revisions that did not change this series have the same ones.
      if (linked.has(hash) || !isThere(join(folder, path))) continue;
      linked.add(hash);
      await linkByHash(join(folder, path), join(to, path), algorithm, hash);
    }
  }
}

async function linkByHash(
  file: string,
  place: string,
  algorithm: string,
  hash: string,
): Promise<void> {
  const folder = join(dirname(place), "by-hash", algorithm);
  makePublicFolder(folder);
  try {
    await linkPublicly(file, join(folder, hash));
  } catch (thrown) {
    if (!hasCode(thrown, "EEXIST")) throw thrown;
  }
}

/** A copy of a folder, of hard links to its files. */
export async function linkTree(from: string, to: string): Promise<void> {
  makePublicFolder(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    else await linkPublicly(source, target);
  }
}

/** Flushes the entries of a folder and of all folders in it. */
export async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await syncFolders(join(folder, entry.name));
  await syncPath(folder);
}
