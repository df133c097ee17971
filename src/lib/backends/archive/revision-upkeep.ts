import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

import {
  Damage,
  messageOf,
  refused,
  saysDamage,
  troubleOfMachine,
} from "../../domain/error.ts";
import {
  besidePath,
  digestFile,
  isUnfinished,
  syncPath,
} from "../../files/atomic-file.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { hasCode, ifExists, isThere } from "../../files/optional-file.ts";
import type { ArchiveFault, RevisionRecord } from "./archive.ts";
import type { PoolFile } from "./index-files.ts";
import { ifSound, recordOf, removeUnneededLists } from "./revision-record.ts";
import type { RevisionTree } from "./revisions.ts";
import { filesIn } from "./revisions.ts";

const revisionsOf = (tree: RevisionTree) => join(tree.root, ".revisions");

/**
 * Removes these revisions, leftovers of killed runs, and pool files that no revision refers to. The
 * caller holds the archive's lock.
 *
 * @param aside a folder to move what was public to, instead of removing it
 * @throws UbuntuCiError (2) when one of them is the current revision
 */
export async function removeRevisions(
  tree: RevisionTree,
  revisions: readonly number[],
  aside?: string,
): Promise<void> {
  const current = await tree.currentNumber();
  if (current === null) return;
  if (revisions.includes(current))
    throw refused(`revision ${current} is what clients see`);
  const folder = revisionsOf(tree);
  for (const name of await unfinishedIn(tree.root))
    await rm(join(tree.root, name), { recursive: true });
  for (const name of await readdir(folder)) {
    const unfinished = isUnfinished(name);
    const number = /^[0-9]+$/.test(name) ? Number(name) : NaN;
    if (!unfinished && !(number > current) && !revisions.includes(number))
      continue;
    const place = join(folder, name);
    if (aside !== undefined && revisions.includes(number)) {
      await moveInto(aside, tree, place);
      continue;
    }
    // Renamed first, so that a revision disappears in one instant.
    const gone = unfinished ? place : besidePath(place);
    if (!unfinished) await rename(place, gone);
    crashPoint("expire.revision-gone");
    await rm(gone, { recursive: true });
  }
  await syncPath(folder);
  const files = await poolFiles(tree);
  // An unreadable revision may refer to any file.
  if (files === undefined) return;
  for (const path of await unreferenced(tree, files))
    await (aside === undefined
      ? rm(join(tree.root, path), { force: true })
      : moveInto(aside, tree, join(tree.root, path)));
  await removeEmptyFolders(join(tree.root, "pool"));
  await removeUnneededLists(
    tree.root,
    aside === undefined
      ? undefined
      : (path) => moveInto(aside, tree, join(tree.root, path)),
  );
}

async function moveInto(
  aside: string,
  tree: RevisionTree,
  path: string,
): Promise<void> {
  const place = join(aside, relative(dirname(tree.root), path));
  await mkdir(dirname(place), { recursive: true });
  await rename(path, place);
}

/** The revisions whose records, indexes and pool files are there. The caller holds the archive's lock. */
export async function completeRevisions(
  tree: RevisionTree,
): Promise<RevisionRecord[]> {
  const complete: RevisionRecord[] = [];
  // Lists whose files are all there.
  let whole = new Set<string>();
  for (const number of await tree.keptNumbers()) {
    const known = new Set(whole);
    const revision = await ifSound(tree.readKept(number, { known }));
    if (revision === undefined) continue;
    if (!isThere(join(tree.root, await tree.distributionsOf(number)))) continue;
    const faults = await Promise.all(
      filesIn(revision).map((file) =>
        faultOf(join(tree.root, file.path), file),
      ),
    );
    if (faults.some((fault) => fault !== undefined)) continue;
    complete.push(recordOf(revision));
    whole = known;
  }
  return complete;
}

/** Faults in an archive's files that show without reading their contents. The caller holds the archive's lock. */
export async function inspectRevisions(
  tree: RevisionTree,
): Promise<ArchiveFault[]> {
  const faults: ArchiveFault[] = [];
  const add = (
    kind: ArchiveFault["kind"],
    where: string,
    what: string,
    revision?: number,
  ) =>
    faults.push({
      ...{ kind, where, what },
      ...(revision !== undefined && { revision }),
    });
  const folder = revisionsOf(tree);
  const dists = join(tree.root, "dists");
  let current: number | null;
  try {
    current = await tree.currentNumber();
  } catch (thrown) {
    if (!(thrown instanceof Damage)) throw thrown;
    add("hidden", dists, thrown.message);
    return faults;
  }
  if (current === null) {
    if (existsSync(folder)) add("hidden", dists, "it does not name a revision");
    return faults;
  }
  if (!existsSync(join(folder, String(current)))) {
    add("hidden", dists, `it names revision ${current}, which is not there`);
    return faults;
  }
  for (const name of await unfinishedIn(tree.root))
    add("half-made", join(tree.root, name), "a killed process left it");
  for (const name of await readdir(folder))
    if (isUnfinished(name) || Number(name) > current)
      add("half-made", join(folder, name), "a revision that was never shown");
  const numbers = await tree.numbers();
  let readable = true;
  const files = new Map<string, PoolFile>();
  const known = new Set<string>();
  for (const number of numbers) {
    const place = join(folder, String(number));
    try {
      for (const file of filesIn(await tree.read(number, { known })))
        files.set(file.path, file);
      if (!existsSync(join(tree.root, await tree.distributionsOf(number))))
        throw new Error("it has no dists");
    } catch (thrown) {
      // What cannot be read just now is not damaged.
      if (troubleOfMachine(thrown) !== undefined && !saysDamage(thrown))
        throw thrown;
      readable = false;
      const kind = number === current ? "broken" : "broken-old";
      const why = messageOf(thrown);
      add(kind, place, `revision ${number} cannot be read: ${why}`, number);
    }
  }
  for (const file of files.values()) {
    const path = join(tree.root, file.path);
    const fault = await faultOf(path, file);
    if (fault !== undefined) add("wrong-file", path, fault);
  }
  // An unreadable revision may refer to any file.
  if (readable)
    for (const path of await unreferenced(tree, files))
      add("unreferenced", join(tree.root, path), "no revision refers to it");
  return faults;
}

async function faultOf(
  path: string,
  { size }: PoolFile,
): Promise<string | undefined> {
  const found = await ifExists(lstat(path));
  if (found === undefined) return "it is published and not there";
  if (!found.isFile()) return "it is no plain file";
  return found.size === size
    ? undefined
    : `it has ${found.size} bytes, not ${size}`;
}

/** How many bytes of files that seem unchanged are read, where not all are. */
const sampleBytes = 256 * 1024 * 1024;

/**
 * Pool files with the right size but the wrong digest. Reading them all takes long, but published files
 * never change, so no lock is needed.
 *
 * @param all else only what was written after it was published is read, and a random sample
 */
export async function wrongDigests(
  tree: RevisionTree,
  all: boolean,
): Promise<ArchiveFault[]> {
  const faults: ArchiveFault[] = [];
  let left = sampleBytes;
  for (const file of shuffled(await readablePoolFiles(tree))) {
    const where = join(tree.root, file.path);
    if ((await faultOf(where, file)) !== undefined) continue;
    const changed = (await lstat(where)).mtimeMs > Date.parse(file.published);
    if (!all && !changed && (left -= file.size) < 0) continue;
    const { sha256 } = await digestFile(where);
    if (sha256 === file.sha256) continue;
    const what = `its sha256 is ${sha256}, not ${file.sha256}`;
    faults.push({ kind: "wrong-file", where, what });
  }
  return faults;
}

/** The files of all revisions that can be read, with the time of the first that has each. */
async function readablePoolFiles(
  tree: RevisionTree,
): Promise<(PoolFile & { readonly published: string })[]> {
  const files = new Map<string, PoolFile & { readonly published: string }>();
  const known = new Set<string>();
  for (const number of await tree.numbers()) {
    const revision = await tree.read(number, { known }).catch(() => undefined);
    if (revision === undefined) continue;
    for (const file of filesIn(revision))
      if (!files.has(file.path))
        files.set(file.path, { ...file, published: revision.created_at });
  }
  return [...files.values()];
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item);
}

/** Every file that a revision refers to, by path; undefined when a revision cannot be read. */
async function poolFiles(
  tree: RevisionTree,
): Promise<ReadonlyMap<string, PoolFile> | undefined> {
  const files = new Map<string, PoolFile>();
  const known = new Set<string>();
  for (const number of await tree.numbers()) {
    const revision = await tree.read(number, { known }).catch(() => undefined);
    if (revision === undefined) return undefined;
    for (const file of filesIn(revision)) files.set(file.path, file);
  }
  return files;
}

async function unreferenced(
  tree: RevisionTree,
  files: ReadonlyMap<string, PoolFile>,
): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    const entries = await ifExists(readdir(folder, { withFileTypes: true }));
    for (const entry of entries ?? []) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await walk(path);
      else if (!files.has(relative(tree.root, path)))
        found.push(relative(tree.root, path));
    }
  };
  await walk(join(tree.root, "pool"));
  return found.sort();
}

async function unfinishedIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter(isUnfinished);
}

async function removeEmptyFolders(pool: string): Promise<void> {
  for (const entry of await readdir(pool, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const folder = join(pool, entry.name);
    await removeEmptyFolders(folder);
    await rmdir(folder).catch((thrown: unknown) => {
      if (!hasCode(thrown, "ENOTEMPTY")) throw thrown;
    });
  }
}
