import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { readDsc } from "../../debian/dsc.ts";
import { notNow } from "../../domain/error.ts";
import { copyDurably } from "../../files/atomic-file.ts";
import { publicFile } from "../../files/modes.ts";
import { namesIn } from "../../files/names-in.ts";
import { ifExists } from "../../files/optional-file.ts";
import { makePublicFolder, writePublicFile } from "../../files/public-files.ts";
import type { StatePaths } from "../../host/paths.ts";
import { childPath } from "../../host/paths.ts";
import { exclusively, lockFile } from "../../locks/exclusively.ts";
import { type AptRepository, fileUri } from "../apt-repository.ts";
import type { Pool } from "./pool.ts";

/** A pool that needs no tools: it copies files, signs nothing, and writes no indexes. */
export function fakePool(paths: StatePaths): Pool {
  const rootOf = (ppa: string) => childPath(paths.ppa, ppa);
  const listOf = (ppa: string) => join(rootOf(ppa), "files.json");
  return {
    async reset(ppa, series) {
      await rm(rootOf(ppa), { recursive: true, force: true });
      makePublicFolder(rootOf(ppa));
      await writePublicFile(listOf(ppa), "[]");
      return fakeRepository(ppa, rootOf(ppa), series);
    },
    async add(ppa, _series, files) {
      await exclusively(lockFile(paths, `ppa.${ppa}`), async () => {
        const { root, names } = await filesOfFakePpa(paths, ppa);
        const held = new Set(names);
        makePublicFolder(root);
        for (const file of [...files, ...(await filesBeside(files))])
          await copyDurably(file, join(root, basename(file)), publicFile);
        for (const file of files) held.add(basename(file));
        await writePublicFile(listOf(ppa), JSON.stringify([...held].sort()));
      });
    },
    async clear(ppa) {
      await rm(rootOf(ppa), { recursive: true, force: true });
    },
    repository: (ppa, series) =>
      Promise.resolve(fakeRepository(ppa, rootOf(ppa), series)),
    resign: () => Promise.resolve(),
    has: async (ppa) => (await namesIn(paths.ppa)).includes(ppa),
    list: () => namesIn(paths.ppa),
  };
}

/** The files of source packages that are there beside their .dsc. */
async function filesBeside(files: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const dsc of files.filter((file) => file.endsWith(".dsc")))
    for (const { name } of readDsc(await readFile(dsc), dsc, [])?.files ?? []) {
      const file = join(dirname(dsc), name);
      if (existsSync(file)) found.push(file);
    }
  return found;
}

/**
 * The folder of a fake PPA's files, and the names of its packages; the files of a source lie beside its
 * .dsc.
 *
 * @throws UbuntuCiError (75) when there is no such PPA
 */
export async function filesOfFakePpa(
  paths: StatePaths,
  ppa: string,
): Promise<{ readonly root: string; readonly names: readonly string[] }> {
  const folder = childPath(paths.ppa, ppa);
  const list = await ifExists(readFile(join(folder, "files.json"), "utf8"));
  if (list === undefined) throw notNow(`${ppa} is not ready`);
  return { root: join(folder, "pool"), names: JSON.parse(list) as string[] };
}

/** A repository with a key that is none: nothing is signed. */
export function fakeRepository(
  name: string,
  root: string,
  series: string,
): AptRepository {
  return {
    name,
    uri: fileUri(root),
    suite: series,
    component: "main",
    signingKey: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nfake\n",
  };
}
