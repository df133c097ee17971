import { lstatSync, mkdtempSync, readdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

import { isGone, thisProcess } from "./process-identity.ts";

const tagged = /\.([0-9]+)-([0-9]+)-([0-9a-f-]{36})-([^.]+)\.[A-Za-z0-9]{6}$/;

const hostTag = () => hostname().replaceAll(/[^A-Za-z0-9-]/g, "_");

/**
 * Makes a new folder for this process alone, KIND.PID-START-BOOT-HOST.XXXXXX. The name identifies the
 * process, so that another can remove the folder after this one was killed.
 */
export function makeOwnFolder(parent: string, kind: string): string {
  return mkdtempSync(join(parent, `${ownName(kind)}.`));
}

/** A name as {@link makeOwnFolder} gives, without the six characters that make it unique. */
export function ownName(kind: string): string {
  const { pid, process_start, boot_id } = thisProcess();
  return `${kind}.${pid}-${process_start}-${boot_id}-${hostTag()}`;
}

/** Whether a name has the form of {@link makeOwnFolder}, and so says whose the folder is, on whatever host. */
export function namesItsOwner(name: string): boolean {
  return tagged.test(name);
}

/** Whether the process that a name identifies is gone; undefined for another host's or another form of name. */
export function isAbandoned(name: string): boolean | undefined {
  const [, pid, process_start = "", boot_id = "", host] =
    tagged.exec(name) ?? [];
  if (pid === undefined || host !== hostTag()) return undefined;
  return isGone({ host: hostname(), pid: Number(pid), process_start, boot_id });
}

/** Paths of folders in a shared folder that are of these kinds, belong to this user, and whose process is gone. */
export function abandonedIn(
  parent: string,
  kinds: readonly string[],
): string[] {
  return readdirSync(parent)
    .filter((name) => kinds.some((kind) => name.startsWith(`${kind}.`)))
    .filter((name) => isAbandoned(name) === true)
    .map((name) => join(parent, name))
    .filter((path) => {
      // Anybody could make a link or a file with such a name in a shared folder.
      const found = lstatSync(path, { throwIfNoEntry: false });
      return found?.isDirectory() === true && found.uid === process.geteuid?.();
    });
}
