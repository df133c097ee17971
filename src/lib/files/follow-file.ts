import type { FileHandle } from "node:fs/promises";
import { open, stat } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
import { setTimeout } from "node:timers/promises";
import { splitLines } from "../domain/output-lines.ts";
import { ifExists } from "./optional-file.ts";

const lookEveryMs = 250;
const partBytes = 256 * 1024;

/**
 * Yields the complete lines that are appended to a file from now on, like `tail -F`. The file need not
 * exist yet. When it is rotated, the old file is read to its end, then the new one from its start.
 *
 * The first item is an empty list: once the caller has it, no later line is missed, and the caller can
 * read the earlier contents of the file.
 *
 * @param signal ends the iteration
 */
export async function* followLines(
  file: string,
  signal: AbortSignal,
): AsyncGenerator<string[]> {
  let handle = await ifExists(open(file, "r"));
  let position = handle === undefined ? 0 : (await handle.stat()).size;
  let lines = linesOfBytes();
  try {
    yield [];
    while (!signal.aborted) {
      const isOld =
        handle === undefined || !(await isStill(handle, file, position));
      if (handle !== undefined) {
        const added = await readFrom(handle, position);
        position += added.length;
        const whole = lines.push(added);
        if (whole.length > 0) yield whole;
        if (added.length > 0) continue;
      }
      if (isOld) {
        const next = await ifExists(open(file, "r"));
        if (next !== undefined) {
          await handle?.close();
          handle = next;
          position = 0;
          lines = linesOfBytes();
          continue;
        }
      }
      try {
        await setTimeout(lookEveryMs, undefined, { signal });
      } catch {
        return; // the signal fired
      }
    }
  } finally {
    await handle?.close();
  }
}

/**
 * Yields each line of a file while it is being written, the last one even without a newline. The file
 * may be renamed meanwhile.
 *
 * @param whole fires when the file is complete; the iteration ends after the rest has been read
 */
export async function* growingLines(
  file: string,
  whole: AbortSignal,
): AsyncGenerator<string> {
  const handle = await open(file, "r");
  try {
    const lines = linesOfBytes();
    for (let position = 0; ;) {
      // Checked before reading: what is written after this check is read in the next round.
      const last = whole.aborted;
      const added = await readFrom(handle, position);
      position += added.length;
      yield* lines.push(added);
      if (added.length > 0) continue;
      if (last) {
        yield* lines.end();
        return;
      }
      await setTimeout(lookEveryMs, undefined, { signal: whole }).catch(
        () => undefined, // the file is complete
      );
    }
  } finally {
    await handle.close();
  }
}

/** Whether the name still refers to the open file, and the file was not truncated. */
async function isStill(
  handle: FileHandle,
  file: string,
  position: number,
): Promise<boolean> {
  const mine = await handle.stat();
  const there = await ifExists(stat(file));
  return (
    there?.ino === mine.ino && there.dev === mine.dev && mine.size >= position
  );
}

/** Decodes bytes as they arrive and splits them into lines. */
function linesOfBytes(): {
  push(bytes: Buffer): string[];
  end(): string[];
} {
  const decoder = new StringDecoder("utf8");
  const whole: string[] = [];
  const lines = splitLines((line) => whole.push(line));
  return {
    push(bytes) {
      lines.push(decoder.write(bytes));
      return whole.splice(0);
    },
    end() {
      lines.push(decoder.end());
      lines.end();
      return whole.splice(0);
    },
  };
}

/** The next bytes of a file, at most `partBytes`; empty at its end. */
async function readFrom(handle: FileHandle, position: number): Promise<Buffer> {
  const { bytesRead, buffer } = await handle.read(
    Buffer.alloc(partBytes),
    0,
    partBytes,
    position,
  );
  return buffer.subarray(0, bytesRead);
}
