import { createHash, randomInt } from "node:crypto";
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";

import { refused } from "../domain/error.ts";
import { crashPoint } from "./crash-point.ts";
import { makeFolder } from "./make-folder.ts";
import { privateFile } from "./modes.ts";
import { ownName } from "./own-folder.ts";

/** Size of a file in bytes, and its SHA-256 digest in hex. */
interface FileDigest {
  readonly size: number;
  readonly sha256: string;
}

const prefix = ".tmp-";

/** Whether a name is that of a temporary file, whose write is in progress or was interrupted. */
export function isUnfinished(name: string): boolean {
  return name.startsWith(prefix);
}

/**
 * A path for a temporary file in the same folder, so that renaming it stays on one file system. It
 * contains the identity of this process ({@link ownName}) but not the target's name, which together
 * could exceed the length limit of a file name.
 */
export function besidePath(path: string): string {
  // Random, so that nobody can guess the name and create it first in a folder that others may write to.
  const unique = randomInt(36 ** 6)
    .toString(36)
    .padStart(6, "0");
  return join(dirname(path), `${ownName(prefix)}.${unique}`);
}

/**
 * Writes a file atomically and durably: even after a power failure, its path holds either the old
 * contents or all of the new ones. The contents are written to a temporary file in the same folder and
 * flushed; it is then renamed, and the folder is flushed. Missing folders are created.
 *
 * @param mode permissions of the new file, whatever the umask; private to its owner by default
 */
export async function writeFileAtomic(
  path: string,
  contents: string | Uint8Array,
  mode = privateFile,
): Promise<void> {
  await beside(path, mode, async (file) => {
    await file.writeFile(contents);
  });
}

/**
 * Copies a file as {@link writeFileAtomic} writes one, without following a link.
 *
 * @returns size and digest of what was copied
 * @throws UbuntuCiError (2) when the source is not a regular file
 */
export async function copyDurably(
  from: string,
  to: string,
  mode = privateFile,
): Promise<FileDigest> {
  const source = await openPlainFile(from);
  try {
    let digest: FileDigest | undefined;
    await beside(to, mode, async (file) => {
      digest = await readThrough(source, async (chunk) => {
        await writeAll(file, chunk);
      });
    });
    if (digest === undefined) throw new Error(`${from} was not read`);
    return digest;
  } finally {
    await source.close();
  }
}

/**
 * Size and digest of a plain file, taken in a single read.
 *
 * @throws UbuntuCiError (2) when the path is not a regular file
 */
export async function digestFile(
  path: string,
  signal?: AbortSignal,
): Promise<FileDigest> {
  const file = await openPlainFile(path);
  try {
    return await readThrough(file, () => {
      signal?.throwIfAborted();
      return undefined;
    });
  } finally {
    await file.close();
  }
}

/**
 * Moves a plain file to its final place on the same file system; the file is flushed first.
 *
 * @param mode permissions of the file, private to its owner by default; not set when the file has a
 *   second name (hard link), under which it may be published
 * @returns size and digest of the file
 * @throws UbuntuCiError (2) when the source is not a regular file
 * @throws an error with code EXDEV when the two are on different file systems
 */
export async function moveDurably(
  from: string,
  to: string,
  mode = privateFile,
): Promise<FileDigest> {
  const file = await openPlainFile(from);
  try {
    const digest = await readThrough(file, () => undefined);
    if ((await file.stat()).nlink === 1) await file.chmod(mode);
    await file.sync();
    crashPoint("file.flushed");
    await rename(from, to);
    crashPoint("file.renamed");
    await syncPath(dirname(to));
    return digest;
  } finally {
    await file.close();
  }
}

/** Creates a symbolic link or redirects an existing one, atomically. */
export async function replaceSymlink(
  target: string,
  link: string,
): Promise<void> {
  const temporary = besidePath(link);
  await symlink(target, temporary);
  crashPoint("link.made");
  try {
    await rename(temporary, link);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw thrown;
  }
  await syncPath(dirname(link));
}

/** Flushes a file, or a folder's entries, to disk. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function beside(
  path: string,
  mode: number,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  makeFolder(dirname(path));
  const temporary = besidePath(path);
  const file = await open(temporary, "wx", privateFile);
  try {
    try {
      await write(file);
      await file.chmod(mode);
      crashPoint("file.written");
      await file.sync();
    } finally {
      await file.close();
    }
    crashPoint("file.flushed");
    await rename(temporary, path);
    crashPoint("file.renamed");
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw thrown;
  }
  await syncPath(dirname(path));
}

/** Opens only plain files: a build may leave a link out of its folder, or a pipe that would block. */
async function openPlainFile(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: FileHandle;
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === "ELOOP") throw refused(`${path} is a link, not a file`);
    // Opening a socket fails with ENXIO (open(2)).
    if (code === "ENXIO") throw refused(`${path} is not a plain file`);
    throw thrown;
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw refused(`${path} is not a plain file`);
}

async function readThrough(
  file: FileHandle,
  take: (chunk: Uint8Array) => Promise<void> | undefined,
): Promise<FileDigest> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(256 * 1024);
  let size = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size);
    if (bytesRead === 0) return { size, sha256: hash.digest("hex") };
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    await take(chunk);
    size += bytesRead;
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    written += (await file.write(chunk, written)).bytesWritten;
  }
}
