import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { now } from "./clock.ts";
import { makeFolder } from "../files/make-folder.ts";
import type { Shown } from "./output.ts";
import { plainText, printLine } from "./output.ts";

/**
 * Whether cron or a timer started this process; the files in cron/ set the variable. Cron mails all
 * output to a person, so only what needs a person is printed, and the same message at most once a day.
 */
export const underCron = process.env["UBUNTU_CI_CRON"] === "1";

const againAfterMs = 24 * 60 * 60_000;
const held: string[] = [];

/** Warns on stderr of something that needs a person. Under cron, {@link printCronMail} prints it. */
export function warnPerson(line: Shown): void {
  if (underCron) held.push(plainText(line));
  else printLine("stderr", line);
}

/**
 * Under cron: prints the warnings that the previous run did not have, and remembers those of this run.
 * A warning that persists is printed again after a day; one that does not recur is forgotten.
 *
 * @param runFolder where they are remembered, one file per command; undefined when the state folder
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
    return {}; // no file: the previous run had no warnings
  }
  try {
    return JSON.parse(text) as Record<string, string>;
  } catch {
    return {}; // incomplete file: every warning is printed again
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
    // Warnings that cannot be remembered are printed each time, which errs on the safe side.
  }
}
