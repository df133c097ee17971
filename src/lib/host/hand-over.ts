import { constants, existsSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { chown, mkdir, open, readlink, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { readChanges } from "../debian/changes.ts";
import { refused } from "../domain/error.ts";
import type { Account } from "./account.ts";
import { sharedTemporaryFolder } from "./environment.ts";
import { hasCode } from "../files/optional-file.ts";
import { abandonedIn, makeOwnFolder } from "../files/own-folder.ts";

/** The copies that root made of the files given to a command, for the user that runs it. */
export interface HandedOver {
  /** The path of a file's copy; a path without a copy is returned unchanged. */
  readonly copyOf: (path: string) => string;
  /** Replaces the paths of copies in a text by those of the original files. */
  readonly named: (text: string) => string;
}

const kind = "ubuntu-ci-handed";

/** Bytes; enough for every upload that is admitted by default. */
const limit = 8 * 1024 ** 3;
const controlFileLimit = 4 * 1024 * 1024;

/**
 * Copies files that `to` may not be able to read into a folder that only `to` may enter; for a .changes
 * also the files that it names. Of links only those to a plain name in their own folder are followed, as
 * uscan makes them: another could lead to a file that nobody meant to hand over. The folder belongs to root until it is complete and to `to` from then on; root does not
 * touch it afterwards.
 *
 * @param readable whether `to` can read a file itself and needs no copy
 * @returns the folder, or null when there is nothing to copy
 * @throws UbuntuCiError (2) when they are too large to be copied
 */
export async function handOver(
  files: readonly string[],
  to: Account,
  readable: (file: string) => Promise<boolean>,
): Promise<string | null> {
  const parent = sharedTemporaryFolder();
  // Incomplete folders of killed runs belong to root and are removed here. Complete ones belong to the
  // other user, whose `expire` removes them.
  for (const path of abandonedIn(parent, [kind]))
    await rm(path, { recursive: true, force: true });
  const wanted = new Map<number, string>();
  for (const [index, file] of files.entries())
    if (basename(file) !== "" && (isChanges(file) || !(await readable(file))))
      wanted.set(index, file);
  if (wanted.size === 0) return null;
  const folder = makeOwnFolder(parent, kind);
  let left = limit;

  const copy = async (from: string, target: string): Promise<void> => {
    let source: FileHandle;
    try {
      source = await openWithin(from);
    } catch (thrown) {
      // The command itself reports a missing file or a link; in place of a link, it is given a dangling one.
      if (hasCode(thrown, "ELOOP")) await symlink("a-link", target);
      return;
    }
    try {
      const status = await source.stat();
      if (status.isDirectory()) await mkdir(target);
      if (!status.isFile()) return;
      const { size } = status;
      if (size > left)
        throw refused(
          `${basename(from)} is too large to be handed over to ${to.name}`,
          `let ${to.name} read it, and run the command as ${to.name}`,
        );
      left -= size;
      const copied = await open(target, "wx", 0o600);
      try {
        if (size > 0)
          for await (const chunk of source.createReadStream({
            autoClose: false,
            end: size - 1,
          }))
            await copied.writeFile(chunk as Buffer);
        await copied.chown(to.uid, to.gid);
      } finally {
        await copied.close();
      }
    } finally {
      await source.close();
    }
  };

  try {
    for (const [index, file] of wanted) {
      const target = copyIn(folder, index, file);
      const place = dirname(target);
      await mkdir(place);
      let beside: FileHandle;
      try {
        const { O_RDONLY, O_DIRECTORY } = constants;
        beside = await open(dirname(file), O_RDONLY | O_DIRECTORY);
      } catch {
        continue; // the folder does not exist, so neither does the file
      }
      try {
        // By descriptor, so that all files of an upload come from one folder even if its path changes meanwhile.
        const original = (name: string) => `/proc/self/fd/${beside.fd}/${name}`;
        await copy(original(basename(file)), target);
        for (const name of await namesIn(target))
          await copy(original(name), join(place, name));
      } finally {
        await beside.close();
      }
      await chown(place, to.uid, to.gid);
    }
    await chown(folder, to.uid, to.gid);
  } catch (thrown) {
    await rm(folder, { recursive: true, force: true });
    throw thrown;
  }
  return folder;
}

/** The copies in a folder that root handed over to this process, of the files it was given. */
export function handedOver(
  folder: string,
  files: readonly string[],
): HandedOver {
  const copies = new Map<string, string>();
  for (const [index, file] of files.entries()) {
    const copy = copyIn(folder, index, file);
    if (existsSync(dirname(copy))) copies.set(file, copy);
  }
  return {
    copyOf: (path) => copies.get(path) ?? path,
    named: (text) =>
      [...copies].reduce(
        (result, [file, copy]) =>
          result.replaceAll(dirname(copy), dirname(file)),
        text,
      ),
  };
}

/**
 * Opens a file, or the one that a link to a name without a slash leads to.
 *
 * @throws ELOOP for any other link
 */
async function openWithin(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
  try {
    return await open(path, flags);
  } catch (thrown) {
    if (!hasCode(thrown, "ELOOP")) throw thrown;
    const target = await readlink(path);
    if (target.includes("/") || target === "." || target === "..") throw thrown;
    return open(join(dirname(path), target), flags);
  }
}

/** Path of the copy of the file with that index; the copy keeps the file's name. */
function copyIn(folder: string, index: number, file: string): string {
  return join(folder, String(index), basename(file));
}

const isChanges = (file: string) => file.endsWith(".changes");

/** The file names listed in a copied .changes, which admission validates later. */
async function namesIn(changes: string): Promise<readonly string[]> {
  if (!isChanges(changes)) return [];
  const { O_RDONLY, O_NOFOLLOW } = constants;
  const file = await open(changes, O_RDONLY | O_NOFOLLOW).catch(() => null);
  if (file === null) return [];
  try {
    const status = await file.stat();
    if (!status.isFile() || status.size > controlFileLimit) return [];
    const listed = readChanges(await file.readFile(), changes, [])?.files ?? [];
    return [...new Set(listed.map(({ name }) => name))].filter(
      (name) => name !== basename(changes),
    );
  } finally {
    await file.close();
  }
}
