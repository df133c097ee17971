import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { redact, secretsOf } from "../domain/redact.ts";
import { shownJson } from "../domain/shown-text.ts";
import { ifExistsSync } from "../files/optional-file.ts";
import { makeFolder } from "../files/make-folder.ts";

/** Path of the log file, in the state's log folder. */
export function stateLogFile(logFolder: string): string {
  return join(logFolder, "ubuntu-ci.log");
}

/** One line of the log, with secrets redacted and hidden characters escaped. */
export function logLine(record: object): string {
  const secrets = secretsOf(process.env);
  return `${shownJson(record, 0, (_key, value) =>
    typeof value === "string" ? redact(value, secrets) : value,
  )}\n`;
}

/**
 * Appends lines to the log in a single write, so that neither another writer nor a rotation can
 * separate them. The file is opened each time, because logrotate may have renamed it.
 *
 * @throws when the lines cannot be written; then none of them is in the file
 */
export function appendLog(file: string, lines: readonly string[]): void {
  const fd = openForAppending(file);
  try {
    const { size } = fstatSync(fd);
    // The last line may be incomplete because the disk was full or a process was killed: begin a new one.
    const torn = size > 0 && lastByte(fd, size) !== 0x0a;
    const bytes = Buffer.from(`${torn ? "\n" : ""}${lines.join("")}`);
    const written = writeSync(fd, bytes);
    if (written === bytes.length) return;
    if (fstatSync(fd).size === size + written) ftruncateSync(fd, size);
    throw new Error(`${file} took only ${written} of ${bytes.length} bytes`);
  } finally {
    closeSync(fd);
  }
}

function openForAppending(file: string): number {
  try {
    return openSync(file, "a+");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown;
    makeFolder(dirname(file));
    return openSync(file, "a+");
  }
}

function lastByte(fd: number, size: number): number | undefined {
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, size - 1);
  return byte[0];
}

/** How much of the end of a log is read by default, in bytes. */
const tailBytes = 4 * 1024 * 1024;

/**
 * The complete lines at the end of a file, oldest first; empty when the file does not exist.
 *
 * @param bytes how much of the end to read
 */
export function lastLinesOfFile(file: string, bytes = tailBytes): string[] {
  const fd = ifExistsSync(() => openSync(file, "r"));
  if (fd === undefined) return [];
  try {
    const { size } = fstatSync(fd);
    const start = Math.max(0, size - bytes);
    const buffer = Buffer.alloc(size - start);
    const read = readSync(fd, buffer, 0, buffer.length, start);
    const lines = buffer.toString("utf8", 0, read).split("\n");
    lines.pop(); // the text after the last newline is not a complete line yet
    if (start > 0) lines.shift();
    return lines;
  } finally {
    closeSync(fd);
  }
}

/** A line of the log as data, or undefined when it is incomplete (the disk was full). */
export function parseLogLine(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}
