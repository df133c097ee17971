import { lstatSync } from "node:fs";
import { join, relative } from "node:path";

import { troubleOfMachine, UbuntuCiError } from "../../domain/error.ts";
import type { StatePaths } from "../../host/paths.ts";
import { exclusively, lockFile } from "../../locks/exclusively.ts";
import { poolFolder } from "./admit.ts";
import type { Archive } from "./archive.ts";
import type { PublishedPackage } from "./index-files.ts";
import { sameFiles } from "./index-files.ts";
import {
  completeRevisions,
  inspectRevisions,
  removeRevisions,
  wrongDigests,
} from "./revision-upkeep.ts";
import type { RevisionTree, StoredRevision } from "./revisions.ts";
import { filesIn, newRevision, revisionTree } from "./revisions.ts";

/** How an archive makes and checks the indexes of a series. */
interface SeriesIndexes {
  /** Makes the indexes of a series that holds exactly these packages; returns its distribution folder. */
  make(series: string, packages: readonly PublishedPackage[]): Promise<string>;
  /** Checks a series of a revision that is not public yet. */
  check(
    prepared: string,
    series: string,
    packages: readonly PublishedPackage[],
  ): Promise<void>;
  /** Why a client could not read a series of what is public, or undefined. */
  fault(series: string): Promise<string | undefined>;
  /** Signs the Release file of a distribution folder anew. */
  renew(distribution: string): Promise<void>;
}

/** The operations that all archives with a revision tree share. */
interface RevisionArchive extends Omit<
  Archive,
  "publish" | "repository" | "rotateKey" | "retireKey" | "signing"
> {
  readonly tree: RevisionTree;
  /** Runs a function while holding the archive's lock. */
  readonly inTurn: <T>(
    work: () => Promise<T>,
    signal?: AbortSignal,
  ) => Promise<T>;
}

/** The archive operations for a state folder, except for publishing. */
export function revisionArchive(
  paths: StatePaths,
  indexes?: SeriesIndexes,
): RevisionArchive {
  const tree = revisionTree(paths.archive);
  const inTurn: RevisionArchive["inTurn"] = (work, signal) =>
    exclusively(lockFile(paths, "archive"), work, signal);
  const makeIndexes = async (
    { publications }: StoredRevision,
    series: readonly string[],
  ): Promise<ReadonlyMap<string, string>> => {
    const made = new Map<string, string>();
    if (indexes === undefined) return made;
    for (const one of series)
      made.set(one, await indexes.make(one, publications[one] ?? []));
    return made;
  };
  const renew = () =>
    tree.renew(async (distribution) => indexes?.renew(distribution));
  return {
    tree,
    inTurn,
    init: (series) =>
      inTurn(async () => {
        const number = await tree.currentNumber();
        const held = number === null ? {} : (await tree.current()).publications;
        const missing = series.filter((one) => held[one] === undefined);
        if (number !== null && missing.length === 0) return;
        const empty = missing.map((one) => [one, []] as const);
        const revision = newRevision(number === null ? 0 : number + 1, {
          ...held,
          ...Object.fromEntries(empty),
        });
        const made = await makeIndexes(revision, missing);
        await tree.show(revision, await tree.prepare(revision, made));
      }),
    exists: async () => (await tree.currentNumber()) !== null,
    async fileOf(source, name) {
      const path = join(poolFolder(source), name);
      // Only a name that is in the pool is worth reading revisions for.
      if (!isPlainFile(join(tree.root, path))) return null;
      for (const number of (await tree.numbers()).reverse()) {
        const files = filesIn(await tree.read(number));
        const found = files.find((file) => file.path === path);
        if (found !== undefined)
          return { path: join(tree.root, path), sha256: found.sha256 };
      }
      return null;
    },
    current: () => tree.current(),
    revisions: async () =>
      Promise.all((await tree.numbers()).map((number) => tree.read(number))),
    revert: (number) =>
      inTurn(async () => {
        const current = await tree.current();
        const target = await tree.read(number);
        if (current.revision === number || current.reverts_to === number)
          return current;
        const series = Object.keys(current.publications);
        const publications = Object.fromEntries(
          series.map((one) => [one, target.publications[one] ?? []]),
        );
        const revision = newRevision(current.revision + 1, publications, {
          reverts_to: number,
        });
        const changed = series.filter(
          (one) =>
            !sameFiles(
              publications[one] ?? [],
              current.publications[one] ?? [],
            ),
        );
        const made = await makeIndexes(revision, changed);
        const prepared = await tree.prepare(revision, made);
        for (const one of changed)
          await indexes?.check(prepared, one, publications[one] ?? []);
        await tree.show(revision, prepared);
        return revision;
      }),
    removeRevisions: (revisions) =>
      inTurn(() => removeRevisions(tree, revisions)),
    tidy: (revisions, aside) =>
      inTurn(() => removeRevisions(tree, revisions, aside)),
    complete: () => inTurn(() => completeRevisions(tree)),
    showAgain: (number) =>
      inTurn(async () => {
        await tree.showAgain(number);
        // It may have been valid no longer, and clients have seen one of a later date.
        if (indexes !== undefined) await renew();
      }),
    resign: () => inTurn(renew),
    async faultsForClients() {
      try {
        const { revision, publications } = await tree.current();
        const faults: string[] = [];
        for (const series of Object.keys(publications)) {
          const fault = await indexes?.fault(series);
          if (fault !== undefined) faults.push(fault);
        }
        const place = join(tree.root, "dists");
        if (lstatSync(`${place}/`, { throwIfNoEntry: false }) === undefined)
          faults.push(
            `${place} names revision ${revision}, which is not there`,
          );
        return faults;
      } catch (thrown) {
        const trouble = troubleOfMachine(thrown) ?? thrown;
        if (trouble instanceof UbuntuCiError) return [trouble.message];
        throw thrown;
      }
    },
    async inspect(digests) {
      const faults = await inTurn(() => inspectRevisions(tree));
      if (faults.some(({ kind }) => kind === "hidden")) return faults;
      return [...faults, ...(await wrongDigests(tree, digests))];
    },
    async filesToKeep(revisions) {
      const place = relative(paths.root, tree.root);
      const kept = await Promise.all(revisions.map((one) => tree.read(one)));
      const files = kept
        .flatMap((revision) => filesIn(revision).map(({ path }) => path))
        .filter((path) => isPlainFile(join(tree.root, path)));
      return {
        paths: [
          ...kept.map(({ revision }) => `.revisions/${revision}`),
          ...new Set(files),
        ].map((path) => join(place, path)),
        link: {
          path: join(place, "dists"),
          target: await tree.distributionsOf(Math.max(...revisions)),
        },
      };
    },
  };
}

function isPlainFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
