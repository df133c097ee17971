import { constants, existsSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { chown, mkdir, open, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { readChanges } from "../debian/changes.ts";
import { refused } from "../domain/error.ts";
import type { Account } from "./account.ts";
import { sharedTemporaryFolder } from "./environment.ts";
import { abandonedIn, makeOwnFolder } from "../files/own-folder.ts";

/** The copies that root made of a command's files, for the user it started the command as. */
export interface HandedOver {
  /** Where a file that was handed over can be read; any other path stays what it is. */
  readonly copyOf: (path: string) => string;
  /** A text that names copies, naming the files instead. */
  readonly named: (text: string) => string;
}

const kind = "ubuntu-ci-handed";

/** Enough for every upload that is admitted by default. */
const limit = 8 * 1024 ** 3;
const controlFileLimit = 4 * 1024 * 1024;

/**
 * Copies files that perhaps root alone may read into a folder that only `to` may enter: the files
 * themselves and, of a .changes, those that it names beside it. No link is followed for that: it
 * could lead to a file that nobody meant to hand over. The folder belongs to root until it is complete,
 * then to `to`, and root does not touch it any more.
 *
 * @param readable whether `to` may read a file itself: then there is no need for a copy
 * @returns the folder, or null when there is nothing to copy
 * @throws UbuntuCiError (2) when they are too large to be copied
 */
export async function handOver(
  files: readonly string[],
  to: Account,
  readable: (file: string) => Promise<boolean>,
): Promise<string | null> {
  const parent = sharedTemporaryFolder();
  // Root removes incomplete folders of killed runs, which only root could change. Complete ones belong
  // to their owner, whose `expire` removes them.
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
      const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
      source = await open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (thrown) {
      // The command itself reports a file that is missing or a link.
      if ((thrown as NodeJS.ErrnoException).code === "ELOOP")
        await symlink("a-link", target);
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
        continue; // there is no such folder, so no file either
      }
      try {
        // By the descriptor: all files of an upload come from one folder, even if its path changes meanwhile.
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

/** What was handed over to this process in that folder, of the files that it was given. */
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

/** Where the copy of the file with that index is: it keeps its name. */
function copyIn(folder: string, index: number, file: string): string {
  return join(folder, String(index), basename(file));
}

const isChanges = (file: string) => file.endsWith(".changes");

/** The files that a copied .changes names; whether it is right is for admission to say. */
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
