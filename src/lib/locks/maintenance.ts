import type { Stats } from "node:fs";
import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

import { ageInWords, isOlderThan } from "../domain/age.ts";
import { heldBack, messageOf, refused } from "../domain/error.ts";
import { oneLine } from "../domain/shown-text.ts";
import { userName } from "../host/account.ts";
import { now } from "../host/clock.ts";
import { crashPoint } from "../files/crash-point.ts";
import type { Advice } from "../domain/remedy.ts";
import { advice, remedy } from "../domain/remedy.ts";

/** Maintenance that is on: since when, who switched it on, and why. */
export interface Maintenance {
  readonly since: string;
  readonly by: string | null;
  readonly reason: string | null;
}

/** Bytes that are read and characters of the reason that are kept, since the file may be of any size. */
const maxBytes = 4096;
const maxReason = 500;

/**
 * Reads maintenance.txt; null when maintenance is off. This program writes the line `by NAME: REASON`.
 * Anybody else may make the file, with touch or an editor: any other text is the reason, and the file's
 * owner counts as the person. A folder or a link of that name also switches maintenance on, and so does
 * a name that cannot be checked.
 */
export function readMaintenance(file: string): Maintenance | null {
  let found;
  try {
    found = lstatSync(file, { throwIfNoEntry: false });
  } catch (thrown) {
    return {
      since: now(),
      by: null,
      reason: `cannot check whether ${file} exists: ${messageOf(thrown)}`,
    };
  }
  if (found === undefined) return null;
  const said = wordsOf(file);
  const ours = "text" in said ? /^by (\S+): ?(.*)$/.exec(said.text) : undefined;
  const reason = "text" in said ? (ours?.[2] ?? said.text) : said.trouble;
  return {
    since: sinceOf(found),
    by: ours?.[1] ?? userName(found.uid),
    reason: reason === "" ? null : reason,
  };
}

/** The contents of the file in one line, or why it cannot be read. */
function wordsOf(
  file: string,
): { readonly text: string } | { readonly trouble: string } {
  try {
    const kind = statSync(file, { throwIfNoEntry: false });
    if (kind === undefined)
      return { trouble: `(${basename(file)} is a link to nothing)` };
    if (kind.isDirectory())
      return { trouble: `(${basename(file)} is a folder)` };
    if (!kind.isFile())
      return { trouble: `(${basename(file)} is not a regular file)` };
    const fd = openSync(file, "r");
    try {
      const buffer = Buffer.alloc(maxBytes);
      const bytes = buffer.subarray(0, readSync(fd, buffer, 0, maxBytes, 0));
      return { text: oneLine(decode(bytes)).slice(0, maxReason) };
    } finally {
      closeSync(fd);
    }
  } catch (thrown) {
    return {
      trouble: `(${basename(file)} cannot be read: ${messageOf(thrown)})`,
    };
  }
}

/** Decodes UTF-8 or, if the bytes are not valid, Latin-1, in which every byte is a character. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString("latin1");
  }
}

/** When the file was made; later edits do not count. */
function sinceOf({ birthtimeMs, mtimeMs }: Stats): string {
  const made = birthtimeMs > 0 ? Math.min(birthtimeMs, mtimeMs) : mtimeMs;
  return new Date(made).toISOString();
}

/**
 * Switches maintenance on. If it is on already, its start time stays, and its reason unless a new one
 * is given.
 *
 * @throws UbuntuCiError (2) when maintenance.txt is not a plain file, which cannot store a reason
 */
export function startMaintenance(
  file: string,
  by: string,
  reason: string | null,
): void {
  const text = `by ${by}: ${oneLine(reason ?? "")}\n`;
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) {
    // Written atomically, so that a killed process cannot leave a file without its reason.
    writeFileSync(beside(file), text);
    crashPoint("maintenance.written");
    renameSync(beside(file), file);
  } else if (reason !== null) {
    if (!found.isFile())
      throw refused(
        `maintenance is on already, but ${file} is not a regular file and cannot take a reason`,
        advice`${remedy("maintenance off")} removes it`,
      );
    writeFileSync(file, text);
  }
}

/** Path of the temporary file, which a killed process may leave behind. */
function beside(file: string): string {
  return join(dirname(file), `.${basename(file)}`);
}

/**
 * Switches maintenance off.
 *
 * @throws UbuntuCiError (2) when maintenance.txt is a folder that is not empty
 */
export function endMaintenance(file: string): void {
  rmSync(beside(file), { force: true });
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isDirectory()) {
    rmSync(file, { force: true });
    return;
  }
  try {
    rmdirSync(file);
  } catch (thrown) {
    if (!existsSync(file)) return;
    throw refused(
      `${file} is a folder and cannot be removed: ${messageOf(thrown)}`,
      "move away what is in it",
    );
  }
}

/** Maintenance in one line: since when, how long ago, by whom and why. */
export function maintenanceInWords({ since, by, reason }: Maintenance): string {
  const who = by === null ? "" : ` by ${by}`;
  const why = reason === null ? "" : `: ${reason}`;
  return `on since ${since} (${ageInWords(since)})${who}${why}`;
}

/**
 * The warning, for the report and `check`, that maintenance has been on for longer than
 * `maintenance.warnAfterMinutes`; null when it has not.
 */
export function forgottenMaintenance(
  maintenance: Maintenance | null,
  warnAfterMinutes: number,
): Advice | null {
  if (maintenance === null || !isOlderThan(maintenance.since, warnAfterMinutes))
    return null;
  return forgottenInWords(maintenance);
}

/** The warning that maintenance has been on for too long: since when, by whom, and what ends it. */
export function forgottenInWords(maintenance: Maintenance): Advice {
  return advice`maintenance is ${maintenanceInWords(maintenance)}; did somebody forget it? ${remedy("maintenance off")} ends it`;
}

/** The error with which commands that change something refuse to run in maintenance (exit 75). */
export function maintenanceRefusal(maintenance: Maintenance): Error {
  return heldBack(
    `maintenance is ${maintenanceInWords(maintenance)}`,
    advice`${remedy("maintenance off")} ends it`,
  );
}
