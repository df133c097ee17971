import { chmod, copyFile, link } from "node:fs/promises";
import { dirname, join } from "node:path";

import { writeFileAtomic } from "./atomic-file.ts";
import { makeNamedFolder } from "./make-folder.ts";
import { publicFile, publicFolder } from "./modes.ts";

/**
 * Makes a folder that everybody may read, unless it is there, and those above it that are missing.
 * One that is there keeps its mode.
 *
 * @throws UbuntuCiError (78) when it can never be made
 */
export function makePublicFolder(path: string): void {
  makeNamedFolder(path, publicFolder);
}

/** Writes a file that everybody may read, as {@link writeFileAtomic} does. */
export async function writePublicFile(
  path: string,
  contents: string | Uint8Array,
): Promise<void> {
  makePublicFolder(dirname(path));
  await writeFileAtomic(path, contents, publicFile);
}

/**
 * Gives a file another name, under which everybody may read it; under its own they may as well, where
 * its folder lets them.
 */
export async function linkPublicly(file: string, name: string): Promise<void> {
  await link(file, name);
  await chmod(name, publicFile);
}

/** The same; on another disk, or of another user's file, it is a copy. */
export async function linkOrCopyPublicly(
  file: string,
  name: string,
): Promise<void> {
  await link(file, name).catch(() => copyFile(file, name));
  await chmod(name, publicFile);
}

/** Lets everybody read files of a tree, and pass the folders between its root and them. */
export async function openToEverybody(
  root: string,
  files: readonly string[],
): Promise<void> {
  const folders = new Set<string>();
  for (const file of files)
    for (let above = dirname(file); above !== "."; above = dirname(above))
      folders.add(above);
  for (const folder of folders) await chmod(join(root, folder), publicFolder);
  for (const file of files) await chmod(join(root, file), publicFile);
}
