import { constants } from "node:fs";
import {
  access,
  chmod,
  lstat,
  mkdir,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
} from "node:fs/promises";
import { join } from "node:path";

import {
  bringBack,
  Damage,
  refused,
  troubleOfMachine,
} from "../../domain/error.ts";
import type { FileRef } from "../../domain/ticket.ts";
import {
  besidePath,
  copyDurably,
  isUnfinished,
  moveDurably,
  syncPath,
} from "../../files/atomic-file.ts";
import {
  privateFile,
  privateFolder,
  publicFile,
  publicFolder,
} from "../../files/modes.ts";
import { namesIn } from "../../files/names-in.ts";
import { hasCode, ifExists } from "../../files/optional-file.ts";
import { isAbandoned } from "../../files/own-folder.ts";
import { childPath } from "../../host/paths.ts";
import { modeForCaller } from "../../host/umask.ts";
import type { LocalStore, Visibility } from "./store.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/**
 * A data store in a folder: ROOT/CONTAINER/FILE. A container's visibility is kept as the modes of its
 * folder and files.
 *
 * @param url where a web server serves the root, or null
 */
export function localStore(root: string, url: string | null): LocalStore {
  const folderOf = (container: string) => placeIn(root, container);
  const pathOf = ({ container, name }: FileRef) =>
    placeIn(folderOf(container), name);
  return {
    root,
    folderOf,
    pathOf,
    async put(at, from) {
      const path = pathOf(at);
      const folder = folderOf(at.container);
      await makeContainer(root, folder);
      const mode = (await isPublic(folder)) ? publicFile : privateFile;
      return { ...at, ...(await take(from, path, folder, mode)) };
    },
    async *list(container) {
      for (const name of await finishedIn(folderOf(container)))
        yield { container, name };
    },
    async fetch(at, to, sha256) {
      const beside = besidePath(to);
      try {
        const copied = await copyDurably(pathOf(at), beside, modeForCaller());
        if (copied.sha256 !== sha256) {
          throw new Damage(
            `${at.container}/${at.name} in the data store is damaged: its sha256 is ${copied.sha256}, not ${sha256}`,
            advice`${remedy("fsck")} looks for more; restore the file from a backup`,
          );
        }
        await rename(beside, to);
      } catch (thrown) {
        await rm(beside, { force: true });
        throw (await troubleReading(pathOf(at), at)) ?? thrown;
      }
    },
    async remove(at) {
      await rm(pathOf(at), { force: true });
      try {
        await rmdir(folderOf(at.container));
      } catch (thrown) {
        if (!hasCode(thrown, "ENOTEMPTY") && !hasCode(thrown, "ENOENT"))
          throw thrown;
      }
    },
    async setVisibility(container, visibility) {
      const folder = folderOf(container);
      await makeContainer(root, folder);
      // The folder is closed before its files and opened after them, so that nobody reads half of them.
      if (visibility === "private") await chmod(folder, privateFolder);
      for (const name of await finishedIn(folder))
        await setFileMode(join(folder, name), visibility);
      if (visibility === "public") await chmod(folder, publicFolder);
    },
    urlOf: ({ container, name }) =>
      url === null
        ? null
        : [
            url.replace(/\/$/, ""),
            ...[container, name].map(encodeURIComponent),
          ].join("/"),
  };
}

async function makeContainer(root: string, folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: privateFolder });
  } catch (thrown) {
    if (hasCode(thrown, "EEXIST")) return;
    if (!hasCode(thrown, "ENOENT")) throw thrown;
    throw new Damage(`the data store ${root} is missing`, bringBack);
  }
  await syncPath(root);
}

/** What keeps a stored file from being read: it is gone, or cannot be read just now. Undefined: nothing. */
async function troubleReading(
  path: string,
  { container, name }: FileRef,
): Promise<unknown> {
  try {
    await access(path, constants.R_OK);
    return undefined;
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT") || hasCode(thrown, "ENOTDIR"))
      return new Damage(
        `${container}/${name} is missing from the data store`,
        bringBack,
      );
    return troubleOfMachine(thrown);
  }
}

async function isPublic(folder: string): Promise<boolean> {
  return ((await stat(folder)).mode & 0o777) === publicFolder;
}

/** A file with another hard link is published elsewhere and has to stay readable there. */
async function setFileMode(
  path: string,
  visibility: Visibility,
): Promise<void> {
  const found = await ifExists(lstat(path));
  if (found?.isFile() !== true) return;
  if (visibility === "public") await chmod(path, publicFile);
  else if (found.nlink === 1) await chmod(path, privateFile);
}

/** Names of a folder's files, without files that are being written or whose writer was killed. */
async function finishedIn(folder: string): Promise<string[]> {
  return (await namesIn(folder)).filter((name) => !isUnfinished(name));
}

/** Moves a file to its place, or copies it from another file system. */
async function take(from: string, to: string, folder: string, mode: number) {
  try {
    return await moveDurably(from, to, mode);
  } catch (thrown) {
    if (!hasCode(thrown, "EXDEV")) throw thrown;
  }
  // Only a copy leaves an unfinished file when it is killed; here those of earlier copies are removed.
  for (const name of await readdir(folder))
    if (isUnfinished(name) && isAbandoned(name) === true)
      await rm(join(folder, name), { force: true });
  return copyDurably(from, to, mode);
}

/** As childPath, but also refuses the names of unfinished files. */
function placeIn(folder: string, name: string): string {
  if (isUnfinished(name))
    throw refused(`${JSON.stringify(name)} is a name kept for the data store`);
  return childPath(folder, name);
}
