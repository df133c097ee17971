import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

import { messageOf, misconfigured } from "../domain/error.ts";

const elsewhere = "name another folder, on a local disk";
const stateElsewhere = `${elsewhere}: --state-dir`;

/** Error codes that mean the folder can never be made, by any user or at any time; with an explanation. */
const hopeless: Readonly<Record<string, string>> = {
  ENOENT: "there no folders can be made",
  EPERM: "there no folders can be made",
  ENOTDIR: "something above it is not a folder",
  ELOOP: "its links lead round in a circle",
  ENAMETOOLONG: "its name is too long",
};

/**
 * Makes a folder whose path came from a person, and its missing parents.
 *
 * @param mode of each folder that is made, whatever the umask; without it the umask decides
 * @throws UbuntuCiError (78) when the folder can never be made; system errors otherwise
 */
export function makeNamedFolder(path: string, mode?: number): void {
  try {
    makeFolder(path, mode);
  } catch (thrown) {
    const code = codeOf(thrown);
    if (code === "EEXIST")
      throw misconfigured(`${path} is not a folder`, elsewhere, thrown);
    const why = hopeless[code];
    if (why === undefined) throw thrown;
    throw misconfigured(
      `the folder ${path} cannot be made, ${why}: ${messageOf(thrown)}`,
      elsewhere,
      thrown,
    );
  }
}

/**
 * Makes a folder and its missing parents. Node's `mkdir` with `recursive` loops forever where the
 * kernel answers ENOENT although the parent exists, as in /proc.
 *
 * @param mode of each folder that is made, whatever the umask; without it the umask decides
 * @throws system errors
 */
export function makeFolder(path: string, mode?: number): void {
  try {
    makeOne(path, mode);
  } catch (thrown) {
    const parent = dirname(path);
    if (codeOf(thrown) !== "ENOENT" || existsSync(parent)) throw thrown;
    makeFolder(parent, mode);
    makeOne(path, mode);
  }
}

function makeOne(path: string, mode: number | undefined): void {
  try {
    mkdirSync(path);
  } catch (thrown) {
    if (codeOf(thrown) !== "EEXIST" || !isFolder(path)) throw thrown;
    return;
  }
  if (mode !== undefined) chmodSync(path, mode);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/**
 * Requires that a state folder is a folder, or does not exist and can be made.
 *
 * @throws UbuntuCiError (78) naming what is in its place
 */
export function requireFolder(root: string): void {
  try {
    const found = statSync(root, { throwIfNoEntry: false });
    if (found === undefined || found.isDirectory()) return;
  } catch (thrown) {
    const code = codeOf(thrown);
    // Missing permission is reported by whoever needs the folder.
    if (hopeless[code] === undefined) return;
    const what =
      code === "ENOTDIR"
        ? `${fileAbove(root)} is not a folder`
        : hopeless[code];
    throw misconfigured(
      `${root} cannot be a state folder: ${what}`,
      stateElsewhere,
      thrown,
    );
  }
  throw misconfigured(
    `${root} cannot be a state folder: it is not a folder`,
    stateElsewhere,
  );
}

function fileAbove(path: string): string {
  let above = dirname(path);
  while (!existsSync(above)) above = dirname(above);
  return above;
}

function codeOf(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException).code ?? "";
}
