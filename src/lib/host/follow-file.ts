import type { FileHandle } from "node:fs/promises";
import { open, stat } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { ifThere } from "./if-there.ts";

const lookEveryMs = 250;

/**
 * The whole lines that are appended to a file from now on, also when it is not there yet, or is
 * rotated: what was written to the old file is read to its end, then the new one from its beginning.
 * Whoever calls it has seen what was in the file before: `opened` is called when it has its place.
 */
export async function* followLines(
  file: string,
  signal: AbortSignal,
  opened: () => void,
): AsyncGenerator<string[]> {
  let handle = await ifThere(open(file, "r"));
  let position = handle === undefined ? 0 : (await handle.stat()).size;
  let rest = Buffer.alloc(0);
  opened();
  try {
    while (!signal.aborted) {
      const isOld =
        handle === undefined || !(await isStill(handle, file, position));
      if (handle !== undefined) {
        const added = await readFrom(handle, position);
        position += added.length;
        const text = Buffer.concat([rest, added]);
        const end = text.lastIndexOf(0x0a) + 1;
        rest = text.subarray(end);
        if (end > 0)
          yield text.toString("utf8", 0, end).split("\n").slice(0, -1);
        if (added.length > 0) continue;
      }
      if (isOld) {
        const next = await ifThere(open(file, "r"));
        if (next !== undefined) {
          await handle?.close();
          handle = next;
          position = 0;
          rest = Buffer.alloc(0);
          continue;
        }
      }
      try {
        await setTimeout(lookEveryMs, undefined, { signal });
      } catch {
        return; // the signal: whoever follows has seen enough
      }
    }
  } finally {
    await handle?.close();
  }
}

/**
 * Each line of a file that is being written, until the signal says that it is whole: then the rest of
 * it, too. It may be moved away meanwhile.
 */
export async function* growingLines(
  file: string,
  whole: AbortSignal,
): AsyncGenerator<string> {
  const handle = await open(file, "r");
  try {
    let rest = Buffer.alloc(0);
    for (let position = 0; ;) {
      // Asked before it is read: what is written after that is read next time.
      const last = whole.aborted;
      const added = await readFrom(handle, position);
      position += added.length;
      const text = Buffer.concat([rest, added]);
      const end = last ? text.length : text.lastIndexOf(0x0a) + 1;
      rest = text.subarray(end);
      if (end > 0)
        yield* text.toString("utf8", 0, end).replace(/\n$/, "").split("\n");
      if (last) return;
      await setTimeout(lookEveryMs, undefined, { signal: whole }).catch(
        () => undefined, // it is whole
      );
    }
  } finally {
    await handle.close();
  }
}

/** Whether that name still means the file that is open, and it was not cut short. */
async function isStill(
  handle: FileHandle,
  file: string,
  position: number,
): Promise<boolean> {
  const mine = await handle.stat();
  const there = await ifThere(stat(file));
  return (
    there?.ino === mine.ino && there.dev === mine.dev && mine.size >= position
  );
}

async function readFrom(handle: FileHandle, position: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let at = position; ;) {
    const { bytesRead, buffer } = await handle.read(
      Buffer.alloc(64 * 1024),
      0,
      64 * 1024,
      at,
    );
    if (bytesRead === 0) return Buffer.concat(parts);
    parts.push(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
