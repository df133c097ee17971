import { isPpaName } from "../../domain/ppa-name.ts";
import { advice, remedy } from "../../domain/remedy.ts";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";

import { Damage, notNow, refused } from "../../domain/error.ts";
import { digestFile } from "../../files/atomic-file.ts";
import { namesIn } from "../../files/names-in.ts";
import { openToEverybody } from "../../files/public-files.ts";
import type { StatePaths } from "../../host/paths.ts";
import { childPath } from "../../host/paths.ts";
import { exclusively, lockFile } from "../../locks/exclusively.ts";
import type { Contents } from "../archive/aptly-root.ts";
import { publishWithAptly } from "../archive/aptly-root.ts";
import type { PpaRef } from "../archive/archive.ts";
import type { PublishedPackage } from "../archive/index-files.ts";
import { holds, pathsOf, readPublished } from "../archive/index-files.ts";
import { newRevision } from "../archive/revision-record.ts";
import { revisionTree } from "../archive/revisions.ts";
import {
  checkedSeries,
  signedRepository,
} from "../archive/signed-repository.ts";
import { renewRelease } from "../archive/sign-release.ts";
import type { Pool } from "./pool.ts";

type DigestSet = ReadonlySet<string>;

/**
 * Keeps the PPAs with aptly, each with an aptly folder of its own.
 *
 * @param origin the beginning of Origin and Label in the Release files
 */
export function aptlyPool(paths: StatePaths, origin: string): Pool {
  const inTurn = <T>(
    ppa: string,
    work: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> =>
    exclusively(
      lockFile(paths, `ppa.${basename(ppaPath(paths.ppa, ppa))}`),
      work,
      signal,
    );
  /** A PPA changes atomically, as the archive does, since clients may be reading it. */
  const publish = async (
    { ppa, series }: PpaRef,
    { kept, added, wanted }: Contents & { readonly wanted: DigestSet },
    number: number,
    signal?: AbortSignal,
  ): Promise<void> => {
    const tree = revisionTree(ppaPath(paths.ppa, ppa));
    const made = await publishWithAptly(
      {
        root: ppaPath(paths.aptly, ppa),
        pool: join(tree.root, "pool"),
        keys: paths,
        origin: `${origin} ${ppa}`,
        // A PPA is nobody's archive for long, and what it holds is checked again when it is published.
        ...{ validMs: null, contents: false },
        replaceFiles: true,
        signal,
      },
      checkedSeries(series),
      { kept, added },
    );
    const all = await readPublished(made);
    if (!holds(all, wanted))
      throw notNow(`aptly did not publish all files in ${ppa}`);
    await openToEverybody(tree.root, pathsOf(all));
    const revision = newRevision(number, { [series]: all });
    const distributions = new Map([[series, made]]);
    await tree.show(revision, await tree.prepare(revision, distributions));
    await tree.forgetOld();
  };
  const emptied = async (ppa: string): Promise<void> => {
    // The public tree goes first: as long as it exists, aptly's folder would be rebuilt from it.
    await rm(ppaPath(paths.ppa, ppa), { recursive: true, force: true });
    await rm(ppaPath(paths.aptly, ppa), { recursive: true, force: true });
  };
  const repository: Pool["repository"] = (ppa, series) =>
    signedRepository(paths, ppa, ppaPath(paths.ppa, ppa), series);

  return {
    async reset(ppa, series, signal) {
      const nothing = { kept: [], added: [], wanted: new Set<string>() };
      const reset = async () => {
        await emptied(ppa);
        await publish({ ppa, series }, nothing, 0, signal);
      };
      await inTurn(ppa, reset, signal);
      return repository(ppa, series);
    },
    async add(ppa, series, files, signal) {
      const from = { ppa, series };
      const add = async () => {
        const { revision, packages } = await contentsOfPpa(paths, from);
        const wanted = await digestsOf(files);
        if (holds(packages, wanted)) return;
        const contents = { kept: packages, added: files, wanted };
        await publish(from, contents, revision + 1, signal);
      };
      await inTurn(ppa, add, signal);
    },
    clear: (ppa) => inTurn(ppa, () => emptied(ppa)),
    repository,
    async resign() {
      for (const ppa of (await namesIn(paths.ppa)).filter(isPpaName))
        await inTurn(ppa, () =>
          revisionTree(ppaPath(paths.ppa, ppa)).renew((distribution) =>
            renewRelease(distribution, {
              ...{ keys: paths, validMs: null, signal: undefined },
            }),
          ),
        );
    },
    async has(ppa) {
      try {
        const tree = revisionTree(ppaPath(paths.ppa, ppa));
        return (
          (await tree.currentNumber()) !== null && !!(await tree.current())
        );
      } catch (thrown) {
        if (thrown instanceof Damage) return false;
        throw thrown;
      }
    },
    async list() {
      const ofAptly = (await namesIn(paths.aptly)).filter(
        (name) => name !== "archive" && !name.startsWith("."),
      );
      return [...new Set([...(await namesIn(paths.ppa)), ...ofAptly])];
    },
  };
}

/**
 * What a PPA publishes now; the packages' paths are relative to its root.
 *
 * @throws UbuntuCiError (75) when it has no repository for that series
 */
export async function contentsOfPpa(
  paths: Pick<StatePaths, "ppa">,
  { ppa, series }: PpaRef,
): Promise<{
  readonly root: string;
  readonly revision: number;
  readonly packages: readonly PublishedPackage[];
}> {
  const root = ppaPath(paths.ppa, ppa);
  const tree = revisionTree(root);
  const number = await tree.currentNumber();
  if (number !== null) {
    const { revision, publications } = await tree.read(number);
    const packages = publications[series];
    if (packages !== undefined) return { root, revision, packages };
  }
  throw notNow(
    `${ppa} is not ready for ${series}`,
    advice`${remedy("fsck")} says what is wrong with it`,
  );
}

async function digestsOf(files: readonly string[]): Promise<DigestSet> {
  const digests = await Promise.all(files.map((file) => digestFile(file)));
  return new Set(digests.map(({ sha256 }) => sha256));
}

function ppaPath(folder: string, ppa: string): string {
  // The name must not be that of the archive, whose aptly folder is beside those of the PPAs.
  if (!isPpaName(ppa))
    throw refused(`${JSON.stringify(ppa)} is not a name for a PPA`);
  return childPath(folder, ppa);
}
