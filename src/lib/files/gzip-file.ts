import { createReadStream, createWriteStream } from "node:fs";
import { chmod, open, rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";

import { besidePath } from "./atomic-file.ts";
import { privateFile } from "./modes.ts";
import { hasCode } from "./optional-file.ts";

/** Compresses a file into a new one. */
export async function gzipFile(from: string, to: string): Promise<void> {
  const place = createWriteStream(to, { flags: "wx", mode: privateFile });
  await pipeline(createReadStream(from), createGzip(), place);
}

/**
 * Unpacks a compressed file. A file that is there already is replaced once all is written.
 *
 * @param mode permissions of the new file, whatever the umask
 */
export async function gunzipFile(
  from: string,
  to: string,
  mode: number,
): Promise<void> {
  const beside = besidePath(to);
  try {
    const place = createWriteStream(beside, { flags: "wx", mode, flush: true });
    await pipeline(createReadStream(from), createGunzip(), place);
    await chmod(beside, mode);
    await rename(beside, to);
  } catch (thrown) {
    await rm(beside, { force: true });
    throw thrown;
  }
}

/** The end of a file, and whether that is all of it. */
export interface FileEnd {
  readonly bytes: Buffer;
  readonly isAll: boolean;
}

/** The last bytes of what a compressed file contains. */
export async function readEndUnpacked(
  path: string,
  length: number,
): Promise<FileEnd> {
  let end = Buffer.alloc(0);
  let isAll = true;
  await pipeline(createReadStream(path), createGunzip(), async (chunks) => {
    for await (const chunk of chunks) {
      const longer = Buffer.concat([end, chunk as Buffer]);
      isAll &&= longer.length <= length;
      end = longer.subarray(-length);
    }
  });
  return { bytes: end, isAll };
}

/** The last bytes of a file. */
export async function readEnd(path: string, length: number): Promise<FileEnd> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const most = Math.min(size, length);
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(most),
      0,
      most,
      size - most,
    );
    return { bytes: buffer.subarray(0, bytesRead), isAll: size <= length };
  } finally {
    await file.close();
  }
}

/** Whether something thrown says that a file cannot be unpacked. */
export function isDamagedGzip(thrown: unknown): boolean {
  return ["Z_DATA_ERROR", "Z_BUF_ERROR"].some((code) => hasCode(thrown, code));
}
