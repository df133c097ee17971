import {
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

import { notNow } from "../domain/error.ts";
import { crashPoint } from "./crash-point.ts";

/** The toggle, when it is on: since when, and what the file says. */
export interface Maintenance {
  readonly since: string;
  readonly by: string | null;
  readonly reason: string | null;
}

/**
 * Whether maintenance.txt is there. Anybody may make it, with touch or an editor: its first line
 * `by NAME: REASON` is ours, any other text is the reason.
 */
export function readMaintenance(file: string): Maintenance | null {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw thrown;
  }
  const since = statSync(file).mtime.toISOString();
  const ours = /^by (\S+): ?([\s\S]*)$/.exec(text);
  const reason = ours === null ? text : (ours[2] ?? "");
  return {
    since,
    by: ours?.[1] ?? null,
    reason: reason === "" ? null : reason,
  };
}

/** Switches maintenance on. Switching it on again keeps the first reason unless a new one is given. */
export function startMaintenance(
  file: string,
  by: string,
  reason: string | null,
): void {
  if (reason === null && readMaintenance(file) !== null) return;
  // Whole or not at all: a file that is there without its text would be a toggle without a reason.
  writeFileSync(beside(file), `by ${by}: ${reason ?? ""}\n`);
  crashPoint("maintenance.written");
  renameSync(beside(file), file);
}

export function endMaintenance(file: string): void {
  rmSync(file, { force: true });
  rmSync(beside(file), { force: true });
}

/** Where the text is until it is whole; a killed process may leave it. */
function beside(file: string): string {
  return join(dirname(file), `.${basename(file)}`);
}

/** @throws UbuntuCiError (75) when maintenance.txt is there: nothing that changes something may start */
export function refuseInMaintenance(file: string): void {
  const maintenance = readMaintenance(file);
  if (maintenance === null) return;
  const by = maintenance.by === null ? "" : ` by ${maintenance.by}`;
  const why = maintenance.reason === null ? "" : `: ${maintenance.reason}`;
  throw notNow(
    `maintenance is on since ${maintenance.since}${by}${why}`,
    "`ubuntu-ci maintenance off` ends it",
  );
}
