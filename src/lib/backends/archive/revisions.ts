import { existsSync } from "node:fs";
import {
  lstat,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { basename, join } from "node:path";

import { Damage, misconfigured, refused } from "../../domain/error.ts";
import {
  besidePath,
  isUnfinished,
  replaceSymlink,
  syncPath,
} from "../../files/atomic-file.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { namesIn } from "../../files/names-in.ts";
import { hasCode, ifExists, isThere } from "../../files/optional-file.ts";
import { makePublicFolder } from "../../files/public-files.ts";
import type { RevisionRecord } from "./archive.ts";
import type { PoolFile } from "./index-files.ts";
import {
  linkDistribution,
  linkTree,
  syncFolders,
} from "./link-distribution.ts";
import { seriesOfStable } from "../../domain/promotion.ts";
import type { ListChoice } from "./package-lists.ts";
import type { StoredRecord, StoredRevision } from "./revision-record.ts";
import {
  folderOfRevision,
  keptNumbers,
  readRecord,
  readRevision,
  recordOf,
  removeUnneededLists,
  shareLists,
  writeRecord,
} from "./revision-record.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/**
 * A repository's public tree, which is switched atomically:
 *
 *     pool/                         only grows
 *     dists -> .revisions/7/dists   what clients see
 *     .revisions/7/dists/           index files, hard links where they did not change
 *     .revisions/7/dists.2/         the same ones with a later signature, see {@link RevisionTree.renew}
 *     .revisions/7/pool -> ../../pool
 *     .revisions/7/revision.json    its record, which is small
 *     .packages/                    what revisions publish, see {@link ListNames}
 *
 * A revision is a complete repository before clients see it. One newer than what clients see is left
 * over from a killed process and is made again.
 */
export interface RevisionTree {
  readonly root: string;
  /**
   * The revision that clients see, or null before the first.
   *
   * @throws Damage when they see none of the revisions that are there
   */
  currentNumber(): Promise<number | null>;
  /** @throws UbuntuCiError (78) before the first revision, or when it is damaged */
  current(): Promise<StoredRevision>;
  /** The same without what it publishes. */
  currentRecord(): Promise<StoredRecord>;
  /** @throws UbuntuCiError (2) when there is no such revision, (78) when it is damaged */
  read(revision: number, choice?: ListChoice): Promise<StoredRevision>;
  /** The same, whatever clients see. */
  readKept(revision: number, choice?: ListChoice): Promise<StoredRevision>;
  /** A kept revision without what it publishes. @throws UbuntuCiError (78) when it is damaged */
  record(revision: number): Promise<StoredRecord>;
  /** All revisions whose folders are there, public or not, ascending. */
  keptNumbers(): Promise<number[]>;
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
  /** Makes a revision public again whose folder is there. */
  showAgain(revision: number): Promise<void>;
  /** The folder of a revision's distributions that was made last, relative to the tree. */
  distributionsOf(revision: number): Promise<string>;
  /**
   * Replaces the Release files of what clients see, in one instant and without a new revision. What they
   * saw until then stays beside it until the next time, since some of them are still reading it.
   *
   * @param renewed writes the Release files of a distribution folder that is not public yet
   */
  renew(renewed: (distribution: string) => Promise<void>): Promise<void>;
  /** As {@link RevisionTree.renew}, with all that clients see in its hands. */
  remake(change: (distributions: string) => Promise<void>): Promise<void>;
  /** The stable suites that clients see beside the series. */
  stableSuites(): Promise<string[]>;
  /** Makes a prepared revision public. */
  show(revision: StoredRevision, prepared: string): Promise<void>;
  /** Removes all revisions older than the previous one. */
  forgetOld(): Promise<void>;
}

/** All pool files that a revision refers to. */
export function filesIn({
  publications,
}: Pick<StoredRevision, "publications">): PoolFile[] {
  return Object.values(publications).flatMap((packages) =>
    packages.flatMap(({ files }) => files),
  );
}

/** The newest revision that this ticket made, or undefined. */
export async function revisionOfTicket(
  tree: RevisionTree,
  ticket: number,
): Promise<RevisionRecord | undefined> {
  for (const number of (await tree.numbers()).reverse()) {
    const { lists: _, ...record } = await tree.record(number);
    if (record.ticket === ticket) return record;
  }
  return undefined;
}

/** The revision tree in that folder. */
export function revisionTree(root: string): RevisionTree {
  const revisions = join(root, ".revisions");
  const folderOf = (revision: number) => folderOfRevision(root, revision);

  const tree: RevisionTree = {
    root,
    async currentNumber() {
      const link = join(root, "dists");
      const target = await targetOf(link);
      if (target === undefined) {
        // The first revision may be there before clients see it.
        if (!(await tree.keptNumbers()).some((number) => number > 0))
          return null;
        throw new Damage(
          `the archive is damaged: ${link} is missing beside the revisions that it could name`,
        );
      }
      const number = shownDistributions.exec(target)?.[1];
      if (number === undefined)
        throw new Damage(
          `the archive is damaged: ${link} does not name a revision: ${target}`,
        );
      return Number(number);
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
    async currentRecord() {
      const number = await tree.currentNumber();
      // What it throws is the same.
      if (number === null || !isThere(folderOf(number)))
        return { ...recordOf(await tree.current()), lists: {} };
      return tree.record(number);
    },
    async read(revision, choice) {
      const current = await tree.currentNumber();
      if (
        current === null ||
        revision > current ||
        (revision < current && !isThere(folderOf(revision)))
      )
        throw refused(
          `there is no revision ${revision}`,
          advice`${remedy("archive list")} shows them`,
        );
      if (!isThere(folderOf(revision)))
        throw new Damage(
          `the archive is damaged: ${join(root, "dists")} names revision ${revision}, which is not there`,
        );
      return tree.readKept(revision, choice);
    },
    readKept: (revision, choice) => readRevision(root, revision, choice),
    record: (revision) => readRecord(root, revision),
    keptNumbers: () => keptNumbers(root),
    async numbers() {
      const current = await tree.currentNumber();
      if (current === null) return [];
      return (await tree.keptNumbers()).filter(
        (revision) => revision <= current,
      );
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
      if (before !== null) await shareLists(root, before);
      const promised = await Promise.all(
        (await stillPromised(tree, folderOf)).map((number) =>
          tree.distributionsOf(number),
        ),
      );
      makePublicFolder(join(made, "dists"));
      await symlink("../../pool", join(made, "pool"));
      for (const series of Object.keys(revision.publications)) {
        const to = join(made, "dists", series);
        const old = before === null ? null : join(root, "dists", series);
        const changed = distributions.get(series);
        if (changed !== undefined)
          await linkDistribution(
            changed,
            promised.map((folder) => join(root, folder, series)),
            to,
          );
        else if (old !== null && existsSync(old)) await linkTree(old, to);
      }
      // What was promoted stays as it is.
      if (before !== null)
        for (const suite of await tree.stableSuites())
          await linkTree(
            join(root, "dists", suite),
            join(made, "dists", suite),
          );
      await syncFolders(join(made, "dists"));
      await writeRecord(root, made, revision);
      return made;
    },
    async showAgain(revision) {
      const link = join(root, "dists");
      // A folder in its place cannot be replaced by a link in one instant.
      if ((await ifExists(lstat(link)))?.isDirectory() === true)
        await rename(link, besidePath(link));
      await replaceSymlink(await tree.distributionsOf(revision), link);
    },
    async distributionsOf(revision) {
      const last = (await signedTimes(folderOf(revision))).at(-1) ?? 0;
      return `.revisions/${revision}/${distributionsName(last)}`;
    },
    renew: (renewed) =>
      tree.remake(async (distributions) => {
        for (const name of await namesIn(distributions))
          await renewed(join(distributions, name));
      }),
    async stableSuites() {
      const { lists } = await tree.currentRecord();
      return (await namesIn(join(root, "dists"))).filter(
        (name) =>
          lists[name] === undefined &&
          lists[seriesOfStable(name) ?? ""] !== undefined,
      );
    },
    async remake(change) {
      const number = await tree.currentNumber();
      if (number === null) return;
      const folder = folderOf(number);
      for (const name of await readdir(folder))
        if (isUnfinished(name))
          await rm(join(folder, name), { recursive: true });
      const shown = basename((await targetOf(join(root, "dists"))) ?? "");
      const times = await signedTimes(folder);
      const next = (times.at(-1) ?? 0) + 1;
      const made = besidePath(join(folder, distributionsName(next)));
      await linkTree(join(folder, shown), made);
      await change(made);
      await syncFolders(made);
      crashPoint("resign.prepared");
      await rename(made, join(folder, distributionsName(next)));
      await syncPath(folder);
      crashPoint("resign.renamed");
      await tree.showAgain(number);
      crashPoint("resign.shown");
      for (const name of times.map(distributionsName))
        if (name !== shown) await rm(join(folder, name), { recursive: true });
    },
    async show(revision, prepared) {
      const folder = folderOf(revision.revision);
      // It was never public, and the caller holds the lock.
      await rm(folder, { recursive: true, force: true });
      await rename(prepared, folder);
      crashPoint("publish.renamed");
      await syncPath(revisions);
      await tree.showAgain(revision.revision);
    },
    async forgetOld() {
      for (const revision of (await tree.numbers()).slice(0, -2))
        await rm(folderOf(revision), { recursive: true });
      await removeUnneededLists(root);
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

/** Where `dists` leads, in words of the tree's layout. */
const shownDistributions = /^\.revisions\/([0-9]+)\/dists(?:\.[0-9]+)?$/;

const distributionsName = (time: number) =>
  time === 0 ? "dists" : `dists.${time}`;

/** The numbers of a revision's distribution folders, ascending; 0 is the one that it was made with. */
async function signedTimes(folder: string): Promise<number[]> {
  return (await namesIn(folder))
    .flatMap((name) => {
      const found = /^dists(?:\.([1-9][0-9]*))?$/.exec(name);
      return found === null ? [] : [Number(found[1] ?? 0)];
    })
    .sort((a, b) => a - b);
}

/** Where a link leads; undefined where there is none. @throws Damage when something else is in its place */
async function targetOf(link: string): Promise<string | undefined> {
  try {
    return await ifExists(readlink(link));
  } catch (thrown) {
    if (!hasCode(thrown, "EINVAL")) throw thrown;
    throw new Damage(`the archive is damaged: ${link} is no link`);
  }
}
