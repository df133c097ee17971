import { existsSync } from "node:fs";
import {
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { dirname, join } from "node:path";

import { misconfigured, notNow, refused } from "../../domain/error.ts";
import {
  besidePath,
  isUnfinished,
  replaceSymlink,
  syncPath,
} from "../../files/atomic-file.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { hasCode, ifExists } from "../../files/optional-file.ts";
import {
  linkPublicly,
  makePublicFolder,
  writePublicFile,
} from "../../files/public-files.ts";
import { now } from "../../host/clock.ts";
import type { Revision } from "./archive.ts";
import type { PoolFile, PublishedPackage } from "./index-files.ts";
import { indexFilesOf } from "./index-files.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** A revision with the files of its publications. */
export interface StoredRevision extends Revision {
  readonly publications: Readonly<Record<string, readonly PublishedPackage[]>>;
}

/**
 * A repository's public tree, which is switched atomically:
 *
 *     pool/                         only grows
 *     dists -> .revisions/7/dists   what clients see
 *     .revisions/7/dists/           index files, hard links where they did not change
 *     .revisions/7/pool -> ../../pool
 *     .revisions/7/revision.json
 *
 * A revision is a complete repository before clients see it. One newer than what clients see is left
 * over from a killed process and is made again.
 */
export interface RevisionTree {
  readonly root: string;
  /** The revision that clients see, or null before the first. */
  currentNumber(): Promise<number | null>;
  /** @throws UbuntuCiError (78) before the first revision */
  current(): Promise<StoredRevision>;
  /** @throws UbuntuCiError (2) when there is no such revision */
  read(revision: number): Promise<StoredRevision>;
  /** All revisions that have been public, ascending. */
  numbers(): Promise<number[]>;
  /**
   * Makes the next revision without showing it to clients: the given series come from new distribution
   * folders and all others stay; one without a folder is empty. Returns its root.
   */
  prepare(
    revision: StoredRevision,
    distributions: ReadonlyMap<string, string>,
  ): Promise<string>;
  /** Makes a prepared revision public. */
  show(revision: StoredRevision, prepared: string): Promise<void>;
  /** Removes all revisions older than the previous one. */
  forgetOld(): Promise<void>;
}

/** A revision that is made now; its origin is a ticket, or the older revision that it goes back to. */
export function newRevision(
  revision: number,
  publications: StoredRevision["publications"],
  origin: { readonly ticket?: number; readonly reverts_to?: number } = {},
): StoredRevision {
  return {
    revision,
    created_at: now(),
    ticket: origin.ticket ?? null,
    reverts_to: origin.reverts_to ?? null,
    publications,
  };
}

/** All pool files that a revision refers to. */
export function filesIn({ publications }: StoredRevision): PoolFile[] {
  return Object.values(publications).flatMap((packages) =>
    packages.flatMap(({ files }) => files),
  );
}

/** The newest revision that this ticket made, or undefined. */
export async function revisionOfTicket(
  tree: RevisionTree,
  ticket: number,
): Promise<StoredRevision | undefined> {
  for (const number of (await tree.numbers()).reverse()) {
    const revision = await tree.read(number);
    if (revision.ticket === ticket) return revision;
  }
  return undefined;
}

/** The revision tree in that folder. */
export function revisionTree(root: string): RevisionTree {
  const revisions = join(root, ".revisions");
  const folderOf = (revision: number) => join(revisions, String(revision));

  const tree: RevisionTree = {
    root,
    async currentNumber() {
      const target = await ifExists(readlink(join(root, "dists")));
      return target === undefined
        ? null
        : Number(/^\.revisions\/([0-9]+)\/dists$/.exec(target)?.[1]);
    },
    async current() {
      const number = await tree.currentNumber();
      if (number === null)
        throw misconfigured(
          `${root} is no archive yet`,
          advice`run ${remedy("init")}`,
        );
      return tree.read(number);
    },
    async read(revision) {
      const current = await tree.currentNumber();
      const file = join(folderOf(revision), "revision.json");
      try {
        if (current !== null && revision <= current)
          return JSON.parse(await readFile(file, "utf8")) as StoredRevision;
      } catch (thrown) {
        if (thrown instanceof SyntaxError)
          throw notNow(
            `${file} is damaged: ${thrown.message}`,
            advice`${remedy("fsck")} says what can be done`,
            thrown,
          );
        if (!hasCode(thrown, "ENOENT")) throw thrown;
      }
      throw refused(
        `there is no revision ${revision}`,
        advice`${remedy("archive list")} shows them`,
      );
    },
    async numbers() {
      const current = await tree.currentNumber();
      if (current === null) return [];
      return (await readdir(revisions))
        .filter((name) => /^[0-9]+$/.test(name))
        .map(Number)
        .filter((revision) => revision <= current)
        .sort((a, b) => a - b);
    },
    async prepare(revision, distributions) {
      makePublicFolder(revisions);
      makePublicFolder(join(root, "pool"));
      for (const folder of [root, revisions]) {
        for (const name of await readdir(folder))
          if (isUnfinished(name))
            await rm(join(folder, name), { recursive: true });
      }
      const made = besidePath(folderOf(revision.revision));
      const before = await tree.currentNumber();
      const promised = (await stillPromised(tree, folderOf)).map(folderOf);
      makePublicFolder(join(made, "dists"));
      await symlink("../../pool", join(made, "pool"));
      for (const series of Object.keys(revision.publications)) {
        const to = join(made, "dists", series);
        const old =
          before === null ? null : join(folderOf(before), "dists", series);
        const changed = distributions.get(series);
        if (changed !== undefined)
          await linkDistribution(
            changed,
            promised.map((folder) => join(folder, "dists", series)),
            to,
          );
        else if (old !== null && existsSync(old)) await linkTree(old, to);
      }
      await syncFolders(join(made, "dists"));
      const text = `${JSON.stringify(revision, null, 1)}\n`;
      await writePublicFile(join(made, "revision.json"), text);
      return made;
    },
    async show(revision, prepared) {
      const folder = folderOf(revision.revision);
      // It was never public, and the caller holds the lock.
      await rm(folder, { recursive: true, force: true });
      await rename(prepared, folder);
      crashPoint("publish.renamed");
      await syncPath(revisions);
      const target = `.revisions/${revision.revision}/dists`;
      await replaceSymlink(target, join(root, "dists"));
    },
    async forgetOld() {
      for (const revision of (await tree.numbers()).slice(0, -2))
        await rm(folderOf(revision), { recursive: true });
    },
  };
  return tree;
}

/** A client that has read a Release file can fetch what it names for so many more publications, and so long. */
const promisedPublications = 3;
const promisedMs = 3 * 24 * 3_600_000;

/** The revisions whose indexes clients may still fetch by hash, newest first. */
async function stillPromised(
  tree: RevisionTree,
  folderOf: (revision: number) => string,
): Promise<number[]> {
  const kept: number[] = [];
  let supersededAt = Date.now();
  for (const revision of (await tree.numbers()).reverse()) {
    if (
      kept.length >= promisedPublications &&
      supersededAt < Date.now() - promisedMs
    )
      break;
    kept.push(revision);
    const file = join(folderOf(revision), "revision.json");
    supersededAt = (await ifExists(stat(file)))?.mtimeMs ?? supersededAt;
  }
  return kept;
}

/**
 * Links the indexes of a new Release file, also by hash, and those of earlier ones by hash: a client that
 * has read an old Release file can still fetch what it names.
 */
async function linkDistribution(
  from: string,
  before: readonly string[],
  to: string,
): Promise<void> {
  makePublicFolder(to);
  const indexesOf = async (folder: string) =>
    indexFilesOf(await readFile(join(folder, "Release"), "utf8"));
  const indexes = await indexesOf(from);
  const files = [
    ...["Release", "Release.gpg", "InRelease"],
    ...new Set(indexes.map(({ path }) => path)),
  ];
  for (const file of files) {
    makePublicFolder(dirname(join(to, file)));
    await linkPublicly(join(from, file), join(to, file));
    await syncPath(join(to, file));
  }
  for (const { path, algorithm, hash } of indexes)
    await linkByHash(join(to, path), join(to, path), algorithm, hash);
  const linked = new Set<string>();
  for (const folder of before) {
    if (!existsSync(folder)) continue;
    for (const { path, algorithm, hash } of await indexesOf(folder)) {
      // Revisions that did not change this series have the same ones.
      if (linked.has(hash)) continue;
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

async function linkTree(from: string, to: string): Promise<void> {
  makePublicFolder(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    else await linkPublicly(source, target);
  }
}

async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await syncFolders(join(folder, entry.name));
  await syncPath(folder);
}
