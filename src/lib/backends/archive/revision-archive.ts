import { existsSync, lstatSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join, relative } from "node:path";

import type { NeedingPackage } from "../../debian/broken.ts";
import {
  refused,
  troubleOfMachine,
  UbuntuCiError,
} from "../../domain/error.ts";
import { stableSuite } from "../../domain/promotion.ts";
import { advice, remedy } from "../../domain/remedy.ts";
import { besidePath } from "../../files/atomic-file.ts";
import { makePublicFolder } from "../../files/public-files.ts";
import type { StatePaths } from "../../host/paths.ts";
import { exclusively, lockFile } from "../../locks/exclusively.ts";
import { poolFolder } from "./admit.ts";
import type { Archive, RevisionRecord } from "./archive.ts";
import type { PublishedPackage } from "./index-files.ts";
import { among, sameFiles } from "./index-files.ts";
import { linkDistribution, linkTree } from "./link-distribution.ts";
import { listPaths } from "./package-lists.ts";
import {
  completeRevisions,
  inspectRevisions,
  removeRevisions,
  wrongDigests,
} from "./revision-upkeep.ts";
import type { StoredRevision } from "./revision-record.ts";
import { newRevision } from "./revision-record.ts";
import type { RevisionTree } from "./revisions.ts";
import { filesIn, revisionOfTicket, revisionTree } from "./revisions.ts";
import type { WithoutLanding } from "./without-landing.ts";
import { withoutLanding } from "./without-landing.ts";

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
  renew(
    distribution: string,
    suite?: { readonly name: string; readonly revision: number },
  ): Promise<void>;
  /** The packages of a distribution, with what they need. */
  needs(distribution: string): Promise<readonly NeedingPackage[]>;
}

/** The operations that all archives with a revision tree share. */
interface RevisionArchive extends Omit<
  Archive,
  "publish" | "repository" | "rotateKey" | "retireKey" | "sign" | "signing"
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
  /** Shows a revision whose packages are all there. */
  const show = async (
    revision: StoredRevision,
    current: StoredRevision,
  ): Promise<StoredRevision> => {
    const { publications } = revision;
    const changed = Object.keys(publications).filter(
      (one) =>
        !sameFiles(publications[one] ?? [], current.publications[one] ?? []),
    );
    const made = await makeIndexes(revision, changed);
    const prepared = await tree.prepare(revision, made);
    for (const one of changed)
      await indexes?.check(prepared, one, publications[one] ?? []);
    await tree.show(revision, prepared);
    return revision;
  };
  const undoing = async (
    number: number,
    current: StoredRevision,
  ): Promise<Map<string, WithoutLanding>> => {
    const landed = await tree.read(number);
    const before = (await tree.numbers()).includes(number - 1)
      ? await tree.read(number - 1)
      : undefined;
    if (before === undefined)
      throw refused(
        `revision ${number - 1} is kept no more: what was there before ${number} is not known`,
        advice`${remedy("archive revert", ["REVISION"], { reason: "TEXT" })} goes back to a revision that is kept`,
      );
    const all = Object.entries(current.publications).map(
      ([series, now]) =>
        [
          series,
          withoutLanding(
            before.publications[series] ?? [],
            landed.publications[series] ?? [],
            now,
          ),
        ] as const,
    );
    const undone = all.filter(([, { takenOut }]) => takenOut.length > 0);
    if (undone.length > 0) return new Map(undone);
    const since = all.flatMap(([, { changedSince }]) => changedSince);
    throw refused(
      since.length > 0
        ? `nothing of revision ${number} is there as it was: ${since.join(", ")} changed since`
        : `revision ${number} changed no package`,
      advice`${remedy("archive list")} shows what each revision changed`,
    );
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
        const revision = newRevision(
          number === null ? 0 : number + 1,
          { ...held, ...Object.fromEntries(empty) },
          {},
          held,
        );
        const made = await makeIndexes(revision, missing);
        await tree.show(revision, await tree.prepare(revision, made));
      }),
    exists: async () => (await tree.currentNumber()) !== null,
    async fileOf(source, name) {
      const path = join(poolFolder(source), name);
      // Only a name that is in the pool is worth reading revisions for.
      if (!isPlainFile(join(tree.root, path))) return null;
      const choice = { known: new Set<string>(), source };
      for (const number of (await tree.numbers()).reverse()) {
        const files = filesIn(await tree.read(number, choice));
        const found = files.find((file) => file.path === path);
        if (found !== undefined)
          return { path: join(tree.root, path), sha256: found.sha256 };
      }
      return null;
    },
    series: async () => Object.keys((await tree.currentRecord()).lists),
    current: () => tree.current(),
    read: (number) => tree.read(number),
    async revisions({ newest, before } = {}) {
      const numbers = await tree.numbers();
      const records: RevisionRecord[] = [];
      for (const number of newest === undefined
        ? numbers
        : numbers.slice(-newest)) {
        const { lists: _, ...record } = await tree.record(number);
        if (before !== undefined && record.created_at >= before) break;
        records.push(record);
      }
      return records;
    },
    revisionOfTicket: (ticket) => revisionOfTicket(tree, ticket),
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
        const revision = newRevision(
          current.revision + 1,
          publications,
          { reverts_to: number },
          current.publications,
        );
        return show(revision, current);
      }),
    async planUndo(number) {
      const current = await tree.current();
      return current.undoes === number ? new Map() : undoing(number, current);
    },
    undo: (number, agree) =>
      inTurn(async () => {
        const current = await tree.current();
        if (current.undoes === number) return current;
        const without = await undoing(number, current);
        const publications = { ...current.publications };
        for (const [series, { packages }] of without)
          publications[series] = packages;
        if (indexes !== undefined)
          for (const [series, { packages }] of without) {
            const [before, then] = await Promise.all(
              [
                tree.distributionsOf(current.revision),
                tree.distributionsOf(number - 1),
              ].map(async (place) =>
                indexes.needs(join(tree.root, await place, series)),
              ),
            );
            await agree?.(
              {
                before: before ?? [],
                after: among([...(before ?? []), ...(then ?? [])], packages),
              },
              series,
            );
          }
        const revision = newRevision(
          current.revision + 1,
          publications,
          { undoes: number },
          current.publications,
        );
        return show(revision, current);
      }),
    promote: (series, number, before) =>
      inTurn(async () => {
        const { publications } = await tree.read(number);
        const shown = await Promise.all(
          before.map(async (one) =>
            join(tree.root, await tree.distributionsOf(one), series),
          ),
        );
        const name = stableSuite(series);
        const from = join(
          tree.root,
          await tree.distributionsOf(number),
          series,
        );
        await tree.remake(async (distributions) => {
          const place = join(distributions, name);
          if (indexes === undefined) {
            makePublicFolder(place);
            return;
          }
          const [like, made] = [besidePath(place), besidePath(place)];
          await linkTree(from, like);
          await indexes.renew(like, { name, revision: number });
          await linkDistribution(like, shown, made);
          await rm(place, { recursive: true, force: true });
          await rm(like, { recursive: true });
          await rename(made, place);
        });
        await indexes?.check(tree.root, name, publications[series] ?? []);
      }),
    removeRevisions: (revisions) =>
      inTurn(() => removeRevisions(tree, revisions)),
    tidy: (revisions, aside) =>
      inTurn(() => removeRevisions(tree, revisions, aside)),
    readKept: (number) => tree.readKept(number),
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
        const { revision, lists } = await tree.currentRecord();
        const faults = listPaths(lists)
          .map((path) => join(tree.root, path))
          .filter((path) => !isPlainFile(path))
          .map((path) => `${path} is missing`);
        for (const series of [
          ...Object.keys(lists),
          ...(await tree.stableSuites()),
        ]) {
          const fault = await indexes?.fault(series);
          if (fault !== undefined) faults.push(fault);
        }
        const pool = join(tree.root, "pool");
        if (listPaths(lists).length > 0 && !existsSync(pool))
          faults.push(`${pool} is missing`);
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
      const files = new Set<string>();
      const known = new Set<string>();
      for (const one of revisions) {
        files.add(`.revisions/${one}`);
        for (const path of listPaths((await tree.record(one)).lists))
          files.add(path);
        for (const { path } of filesIn(await tree.read(one, { known })))
          if (!files.has(path) && isPlainFile(join(tree.root, path)))
            files.add(path);
      }
      return {
        paths: [...files].map((path) => join(place, path)),
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
