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

/** The log of a state folder, whose log/ this is. */
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
 * Appends lines to the log: all of them in one write, so that neither another writer's nor a
 * rotation can come in between. The file is opened anew each time: logrotate may have moved it.
 *
 * @throws when they cannot be written; then none of them is there
 */
export function appendLog(file: string, lines: readonly string[]): void {
  const fd = openForAppending(file);
  try {
    const { size } = fstatSync(fd);
    // Begin a new line after one that is incomplete because the disk was full or the process killed.
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

/** Bytes at the end of a log that are searched for its last event. */
const tailBytes = 4 * 1024 * 1024;

/**
 * The whole lines at the end of a file, oldest first; empty when there is no such file.
 *
 * @param bytes how much of its end to read
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
    lines.pop(); // after the last newline: not a whole line yet
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
