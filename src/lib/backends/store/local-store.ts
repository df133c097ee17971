import { readdirSync, rmSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";

import { join } from "node:path";

import { notNow, refused } from "../../domain/error.ts";
import {
  besidePath,
  copyDurably,
  isUnfinished,
  moveDurably,
  syncPath,
} from "../../files/atomic-file.ts";
import { hasCode, ifExists, ifExistsSync } from "../../files/optional-file.ts";
import { childPath } from "../../host/paths.ts";
import { modeForCaller } from "../../host/umask.ts";
import type { Store } from "./store.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** The data store as a folder: ROOT/CONTAINER/FILE. */
export function localStore(root: string): Store {
  const folder = (container: string) => place(root, container);
  return {
    name: "local",
    async putFile(container, name, source, options = {}) {
      const path = place(folder(container), name);
      if ((await mkdir(folder(container), { recursive: true })) !== undefined)
        await syncPath(root);
      return { path, ...(await put(source, path, options.move === true)) };
    },
    async listFiles(container) {
      const names = (await ifExists(readdir(folder(container)))) ?? [];
      return names.filter((name) => !isUnfinished(name)).sort();
    },
    filePath: (container, name) => place(folder(container), name),
    async getFile(container, name, destination, sha256) {
      const beside = besidePath(destination);
      try {
        const copied = await copyDurably(
          place(folder(container), name),
          beside,
          modeForCaller(),
        );
        if (copied.sha256 !== sha256) {
          throw notNow(
            `${container}/${name} in the data store is damaged: its sha256 is ${copied.sha256}, not ${sha256}`,
            advice`${remedy("fsck")} looks for more; restore the file from a backup`,
          );
        }
        await rename(beside, destination);
      } catch (thrown) {
        await rm(beside, { force: true });
        if (hasCode(thrown, "ENOENT"))
          throw refused(`the data store has no ${container}/${name}`);
        throw thrown;
      }
    },
    async deleteFile(container, name) {
      await rm(place(folder(container), name), { force: true });
    },
    keepOnly(container, names) {
      for (const name of ifExistsSync(() => readdirSync(folder(container))) ??
        [])
        if (!names.has(name))
          rmSync(join(folder(container), name), { force: true });
    },
    async deleteContainer(container) {
      await rm(folder(container), { recursive: true, force: true });
    },
  };
}

async function put(source: string, path: string, move: boolean) {
  if (move) {
    try {
      return await moveDurably(source, path);
    } catch (thrown) {
      if (!hasCode(thrown, "EXDEV")) throw thrown;
    }
  }
  const digest = await copyDurably(source, path);
  if (move) await rm(source);
  return digest;
}

/** Like childPath; names of writes in progress are not to be had either. */
function place(folder: string, name: string): string {
  if (isUnfinished(name))
    throw refused(`${JSON.stringify(name)} is a name kept for the data store`);
  return childPath(folder, name);
}
