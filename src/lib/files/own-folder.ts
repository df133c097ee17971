import { lstatSync, mkdtempSync, readdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

import { isGone, thisProcess } from "./process-identity.ts";

const tagged = /\.([0-9]+)-([0-9]+)-([0-9a-f-]{36})-([^.]+)\.[A-Za-z0-9]{6}$/;

const hostTag = () => hostname().replaceAll(/[^A-Za-z0-9-]/g, "_");

/**
 * Makes a new folder for this process alone, KIND.PID-START-BOOT-HOST.XXXXXX: its name says whose it
 * is, so that it can be removed when that process was killed.
 */
export function makeOwnFolder(parent: string, kind: string): string {
  return mkdtempSync(join(parent, `${ownName(kind)}.`));
}

/** A name of that form, without the six characters that make it unique. */
export function ownName(kind: string): string {
  const { pid, process_start, boot_id } = thisProcess();
  return `${kind}.${pid}-${process_start}-${boot_id}-${hostTag()}`;
}

/** Whether the process is gone that a name was made for; undefined where the name does not tell. */
export function isAbandoned(name: string): boolean | undefined {
  const [, pid, process_start = "", boot_id = "", host] =
    tagged.exec(name) ?? [];
  if (pid === undefined || host !== hostTag()) return undefined;
  return isGone({ host: hostname(), pid: Number(pid), process_start, boot_id });
}

/** Paths of this user's own folders of these kinds in a folder that many share, whose process is gone. */
export function abandonedIn(
  parent: string,
  kinds: readonly string[],
): string[] {
  return readdirSync(parent)
    .filter((name) => kinds.some((kind) => name.startsWith(`${kind}.`)))
    .filter((name) => isAbandoned(name) === true)
    .map((name) => join(parent, name))
    .filter((path) => {
      // In a shared folder anybody could make a link or a file with such a name.
      const found = lstatSync(path, { throwIfNoEntry: false });
      return found?.isDirectory() === true && found.uid === process.geteuid?.();
    });
}
