import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { chown, mkdir, open, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

import { readChanges } from "../domain/debian/changes.ts";
import { refused } from "../domain/error.ts";
import type { Account } from "./account.ts";
import { abandonedIn, makeOwnFolder } from "./own-folder.ts";

/** Copies of the files that a command was given, for the user it is about to become. */
export interface HandedOver {
  /** Where a file that was handed over can be read; any other path stays what it is. */
  readonly copyOf: (path: string) => string;
  /** A text that names copies, naming the files instead. */
  readonly named: (text: string) => string;
  /** Removes the copies; it is called as their owner. */
  readonly remove: () => Promise<void>;
}

/** Enough for every upload that is admitted by default. */
const limit = 8 * 1024 ** 3;
const controlFileLimit = 4 * 1024 * 1024;

/**
 * Copies files that perhaps root alone may read into a folder that only `to` may enter: the files
 * themselves and, of a .changes, those that it names beside it. No link is followed for that: it
 * could lead to a file that nobody meant to hand over.
 *
 * @throws UbuntuCiError (2) when they are too large to be copied
 */
export async function handOver(
  files: readonly string[],
  to: Account,
): Promise<HandedOver> {
  // Root removes what it left in the middle of this; the rest is its owner's, whose `expire` does.
  for (const path of abandonedIn(tmpdir(), ["ubuntu-ci-handed"]))
    await rm(path, { recursive: true, force: true });
  const folder = makeOwnFolder(tmpdir(), "ubuntu-ci-handed");
  const copies = new Map<string, string>();
  let left = limit;

  const copy = async (from: string, target: string): Promise<void> => {
    let source: FileHandle;
    try {
      const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
      source = await open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (thrown) {
      // Whoever reads the copies tells that it is missing, or that it is a link.
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

  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    for (const [index, file] of files.entries()) {
      if (basename(file) === "") continue;
      const place = join(folder, String(index));
      await mkdir(place);
      const target = join(place, basename(file));
      copies.set(file, target);
      let beside: FileHandle;
      try {
        const { O_RDONLY, O_DIRECTORY } = constants;
        beside = await open(dirname(file), O_RDONLY | O_DIRECTORY);
      } catch {
        continue; // there is no such folder, so no file either
      }
      try {
        // All of an upload comes from one folder, whatever its path leads to meanwhile.
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
    await remove();
    throw thrown;
  }
  return {
    copyOf: (path) => copies.get(path) ?? path,
    named: (text) =>
      [...copies].reduce(
        (result, [file, target]) =>
          result.replaceAll(dirname(target), dirname(file)),
        text,
      ),
    remove,
  };
}

/** The files that a copied .changes names; whether it is right is for admission to say. */
async function namesIn(changes: string): Promise<readonly string[]> {
  if (!changes.endsWith(".changes")) return [];
  const { O_RDONLY, O_NOFOLLOW } = constants;
  const file = await open(changes, O_RDONLY | O_NOFOLLOW).catch(() => null);
  if (file === null) return [];
  try {
    const status = await file.stat();
    if (!status.isFile() || status.size > controlFileLimit) return [];
    const text = await file.readFile("utf8");
    const listed = readChanges(text, changes, [])?.files ?? [];
    return [...new Set(listed.map(({ name }) => name))].filter(
      (name) => name !== basename(changes),
    );
  } finally {
    await file.close();
  }
}
