import {
  existsSync,
  lstatSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { rename } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";

import { notNow } from "../../domain/error.ts";
import { replaceSymlink, syncPath } from "../../files/atomic-file.ts";
import { exec } from "../../host/exec.ts";

/** Where the program is, as people and cron call it, and what an upgrade keeps beside it. */
export interface Place {
  /** A folder, or a link to a folder of one version. */
  readonly program: string;
  readonly isLink: boolean;
  /** The journal, the log and the staged code of upgrades. */
  readonly work: string;
  /** The program before the last upgrade. */
  readonly previous: string;
}

/**
 * Finds the place of the program that runs. Started as the previous one, or as the one an
 * interrupted upgrade set aside, it is the place that these belong to.
 *
 * @param executable how the command was called, links not followed
 * @param root the folder the running code is in, links followed
 */
export function locateProgram(executable: string, root: string): Place {
  let path = resolve(executable);
  // An executable in /usr/local/bin may be a link into the program; the program's own folder may be one too.
  while (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true)
    path = resolve(dirname(path), readlinkSync(path));
  const called = dirname(dirname(path));
  const aside = dirname(root);
  if (aside.endsWith(".upgrade") && existsSync(join(aside, "journal.json")))
    return placeAt(aside.slice(0, -".upgrade".length));
  for (const candidate of [called, root]) {
    const found = candidate.endsWith(".previous")
      ? candidate.slice(0, -".previous".length)
      : candidate;
    if (
      found !== candidate &&
      !existsSync(join(`${found}.upgrade`, "journal.json"))
    )
      continue;
    if (isLink(candidate) && realpathSync(candidate) === root)
      return placeAt(found);
  }
  const previous = /^(.*)\.previous$/.exec(root)?.[1];
  if (
    previous !== undefined &&
    existsSync(join(`${previous}.upgrade`, "journal.json"))
  )
    return placeAt(previous);
  return placeAt(root);
}

function placeAt(program: string): Place {
  return {
    program,
    isLink: isLink(program),
    work: `${program}.upgrade`,
    previous: `${program}.previous`,
  };
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

/** The folder of the program that is in its place; where an interrupted swap left it, when it is not. */
export function folderInPlace(place: Place): string {
  if (place.isLink) return realpathSync(place.program);
  const aside = asideOf(place);
  return !existsSync(place.program) && existsSync(aside)
    ? aside
    : place.program;
}

/** Where the program is for a moment while two folders change places one after the other. */
export function asideOf(place: Place): string {
  return join(place.work, "aside");
}

/** What tells a folder from every other, wherever it is moved to; undefined when nothing is there. */
export function folderId(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}

/** The first of these paths where the folder with that id is now. */
export function findFolder(
  id: string,
  paths: readonly string[],
): string | undefined {
  return paths.find((path) => folderId(path) === id);
}

/**
 * Puts a folder in the program's place, in one instant where the file system can (a link that is
 * swung, or two folders that change places); what was there is afterwards where the folder was.
 * Run again after it was killed it does the rest.
 */
export async function putInPlace(place: Place, folder: string): Promise<void> {
  if (folderId(place.program) === folderId(folder)) return;
  if (place.isLink) {
    await replaceSymlink(
      relative(dirname(place.program), realpathSync(folder)),
      place.program,
    );
    return;
  }
  if (!existsSync(place.program)) {
    await rename(folder, place.program);
  } else if (!(await exchange(place.program, folder))) {
    // Killed between these two, the program is missing; what is set aside can finish (locateProgram).
    const aside = asideOf(place);
    await rename(place.program, aside);
    await rename(folder, place.program);
    await rename(aside, folder);
  }
  await syncPath(dirname(place.program));
  await syncPath(dirname(folder));
}

/** renameat2(2) with RENAME_EXCHANGE. False where the file system, the kernel or Python does not have it. */
async function exchange(one: string, other: string): Promise<boolean> {
  const code = [
    "import ctypes, os, sys",
    "paths = [os.fsencode(path) for path in sys.argv[1:]]",
    "renameat2 = ctypes.CDLL(None, use_errno=True).renameat2",
    "sys.exit(0 if renameat2(-100, paths[0], -100, paths[1], 2) == 0 else 1)",
  ].join("\n");
  const before = folderId(one);
  const argv = ["python3", "-I", "-c", code, one, other];
  await exec(argv).catch(() => undefined);
  // However it ended: what counts is what is where.
  const after = folderId(one);
  if (after === undefined) throw notNow(`${one} has disappeared`);
  return after !== before;
}
