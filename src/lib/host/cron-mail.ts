import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { now } from "./clock.ts";
import { makeFolder } from "../files/make-folder.ts";
import type { Shown } from "./output.ts";
import { plainText, printLine } from "./output.ts";

/**
 * Whether cron or a timer started this: the files in cron/ say so. What cron prints is mailed to a
 * person, so only what needs one is printed, and the same thing once a day.
 */
export const underCron = process.env["UBUNTU_CI_CRON"] === "1";

const againAfterMs = 24 * 60 * 60_000;
const held: string[] = [];

/** Says what needs a person, on stderr; under cron at the end, unless it was said already. */
export function warnPerson(line: Shown): void {
  if (underCron) held.push(plainText(line));
  else printLine("stderr", line);
}

/**
 * Under cron: prints the complaints that the previous run did not have, and remembers all of this run.
 * A complaint that lasts is printed again after a day; one that is over is forgotten.
 *
 * @param runFolder where they are remembered, one file a command; undefined when the state folder
 *   is not known
 */
export function printCronMail(
  runFolder: string | undefined,
  command: string,
): void {
  if (!underCron) return;
  const file =
    runFolder === undefined
      ? undefined
      : join(runFolder, `${command}.complaints.json`);
  const before = file === undefined ? {} : remembered(file);
  const said: Record<string, string> = {};
  for (const line of held) {
    const at = before[line];
    const age = at === undefined ? NaN : Date.now() - Date.parse(at);
    if (at !== undefined && age >= 0 && age < againAfterMs) {
      said[line] = at;
      continue;
    }
    printLine("stderr", line);
    said[line] = now();
  }
  if (file !== undefined) remember(file, said, before);
}

function remembered(file: string): Record<string, string> {
  let text;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return {}; // no file: the run before had no complaint
  }
  try {
    return JSON.parse(text) as Record<string, string>;
  } catch {
    return {}; // half written: every complaint is printed again
  }
}

function remember(
  file: string,
  said: Record<string, string>,
  before: Record<string, string>,
): void {
  try {
    if (Object.keys(said).length > 0) {
      makeFolder(dirname(file));
      writeFileSync(file, JSON.stringify(said));
    } else if (Object.keys(before).length > 0) rmSync(file, { force: true });
  } catch {
    // If they cannot be remembered they are printed each time, which is the safe side.
  }
}
