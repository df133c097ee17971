import { chmod, copyFile, link } from "node:fs/promises";
import { dirname, join } from "node:path";

import { writeFileAtomic } from "./atomic-file.ts";
import { makeNamedFolder } from "./make-folder.ts";
import { publicFile, publicFolder } from "./modes.ts";

/**
 * Makes a folder that everybody may read, and its missing parents. An existing folder keeps its mode.
 *
 * @throws UbuntuCiError (78) when the folder can never be made
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
 * Publishes a file under a second name (hard link). The two names share one mode, so only its folder
 * protects the first name from now on.
 */
export async function linkPublicly(file: string, name: string): Promise<void> {
  await link(file, name);
  await chmod(name, publicFile);
}

/** {@link linkPublicly}, or a copy when the file is on another file system or belongs to another user. */
export async function linkOrCopyPublicly(
  file: string,
  name: string,
): Promise<void> {
  await link(file, name).catch(() => copyFile(file, name));
  await chmod(name, publicFile);
}

/** Makes files in a tree readable to everybody, and traversable the folders from its root to them. */
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
