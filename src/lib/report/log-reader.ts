import { isAscii, isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";

/** Longest piece of a line, in UTF-16 units: a longer line is cut into pieces. */
export const pieceLength = 16 * 1024;

/** How much of a log is read at once, in bytes. */
const chunkBytes = 64 * 1024;

/** Takes the next line of a log, or a piece of a long one. */
type TakeLine = (
  text: string,
  /** Whether it continues the line before it. */
  continues: boolean,
) => void;

/**
 * Reads a log line by line in constant memory, whatever bytes are in it. Bytes that are not UTF-8 are
 * given in their escaped form, as `\xff`.
 *
 * @param path a file; unpacked when its name ends in `.gz`
 * @param afterChunk what is to be done from time to time, before more is read
 * @returns the size of what was read, unpacked, in bytes
 * @throws system errors; the signal's reason when it was aborted
 */
export async function readLog(
  path: string,
  take: TakeLine,
  afterChunk: () => Promise<void>,
  signal?: AbortSignal,
): Promise<number> {
  const lines = lineSplitter(take);
  const decode = decoder();
  const file = createReadStream(path, { highWaterMark: chunkBytes });
  const chunks = path.endsWith(".gz")
    ? // A destroyed stream does not end the other: both are destroyed with the loop below.
      file
        .on("error", (thrown) => unpacked.destroy(thrown))
        .pipe(createGunzip({ chunkSize: chunkBytes }))
    : file;
  const unpacked = chunks;
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      bytes += (chunk as Buffer).length;
      lines.push(decode(chunk as Buffer, false));
      await afterChunk();
    }
  } finally {
    file.destroy();
  }
  lines.push(decode(Buffer.alloc(0), true));
  lines.end();
  await afterChunk();
  return bytes;
}

/** Splits a stream of text into lines, and these into pieces. */
function lineSplitter(take: TakeLine): {
  push(text: string): void;
  end(): void;
} {
  let begun = "";
  let continues = false;
  /** Gives all full pieces of a line, and returns what is left. */
  const pieces = (line: string): string => {
    let from = 0;
    while (line.length - from > pieceLength) {
      // Both halves of a surrogate pair stay together.
      const to = from + pieceLength;
      const end = isHighSurrogate(line.charCodeAt(to - 1)) ? to - 1 : to;
      take(line.slice(from, end), continues);
      continues = true;
      from = end;
    }
    return from === 0 ? line : line.slice(from);
  };
  return {
    push(text) {
      for (let from = 0; ;) {
        const end = text.indexOf("\n", from);
        const part = text.slice(from, end < 0 ? text.length : end);
        const line = begun === "" ? part : begun + part;
        begun = line.length > pieceLength ? pieces(line) : line;
        if (end < 0) return;
        take(begun, continues);
        begun = "";
        continues = false;
        from = end + 1;
      }
    },
    end() {
      if (begun !== "") take(begun, continues);
    },
  };
}

const isHighSurrogate = (code: number) => code >= 0xd800 && code <= 0xdbff;

/** Decodes a stream of bytes; characters that are cut between two chunks are kept together. */
function decoder(): (chunk: Buffer, isLast: boolean) => string {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk, isLast) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = isLast ? bytes.length : bytes.length - unfinished(bytes);
    rest = Buffer.from(bytes.subarray(end));
    return decoded(bytes.subarray(0, end));
  };
}

/** How many bytes at the end begin a character of UTF-8 whose other bytes may follow. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    return lengthBy(byte) > back ? back : 0;
  }
  return 0;
}

function decoded(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString("latin1");
  if (isUtf8(bytes)) return bytes.toString("utf8");
  return escapeOthers(bytes).toString("utf8");
}

/** Replaces each byte that is no part of a character by its escaped form. */
function escapeOthers(bytes: Buffer): Buffer {
  const escaped = Buffer.allocUnsafe(bytes.length * "\\xff".length);
  let length = 0;
  for (let at = 0; at < bytes.length;) {
    const end = at + lengthOfCharacter(bytes, at);
    if (end === at) {
      length += escaped.write(
        `\\x${(bytes[at] ?? 0).toString(16)}`,
        length,
        "latin1",
      );
      at += 1;
    } else
      while (at < end) {
        escaped[length] = bytes[at] ?? 0;
        length += 1;
        at += 1;
      }
  }
  return escaped.subarray(0, length);
}

/** How many bytes make the character of UTF-8 at a place (RFC 3629, section 4); 0 when none begins there. */
function lengthOfCharacter(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = lengthBy(first);
  let least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  let most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  for (let next = at + 1; next < at + length; next += 1) {
    const byte = bytes[next] ?? 0;
    if (byte < least || byte > most) return 0;
    least = 0x80;
    most = 0xbf;
  }
  return length;
}

/** How many bytes a character has, by the first of several; 0 when no character begins so. */
function lengthBy(first: number): number {
  if (first < 0xc2 || first > 0xf4) return 0;
  return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
}
