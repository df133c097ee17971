import {
  existsSync,
  lstatSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { lchown, mkdir, readdir } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";

import type { Account } from "../../host/account.ts";
import { accountOf } from "../../host/account.ts";
import { replaceSymlink, syncPath } from "../../files/atomic-file.ts";
import { removeTree } from "../../session/remove-tree.ts";

/** Where the program and its releases are. */
export interface Place {
  /** A link to the release in use; a plain folder until the first upgrade. */
  readonly program: string;
  /** Folder of the releases, with the journal, the log and the lock of upgrades. */
  readonly releases: string;
  /** Owner of the program's files. */
  readonly owner: Account;
}

const suffix = ".releases";

/**
 * Finds where the running program is installed. The executables of all its releases give the same place.
 *
 * @param executable path that the command was called by, links not followed
 * @param root folder of the running code, links followed
 */
export function locateProgram(executable: string, root: string): Place {
  let path = resolve(executable);
  // An executable in /usr/local/bin may be a link into the program, and the program a link to a folder.
  while (isLink(path)) path = resolve(dirname(path), readlinkSync(path));
  const folder = dirname(dirname(path));
  const called = join(realpathSync(dirname(folder)), basename(folder));
  const releases = dirname(root);
  let program = root;
  if (releases.endsWith(suffix) && existsSync(join(releases, "journal.json")))
    program = releases.slice(0, -suffix.length);
  else if (isLink(called) && realpathSync(called) === root) program = called;
  const { uid, gid } = statSync(root);
  return {
    program,
    releases: `${program}${suffix}`,
    owner: accountOf(uid, gid),
  };
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

/** Whether the program is still a plain folder, which its first upgrade turns into a release. */
export function isPlainFolder({ program }: Place): boolean {
  return existsSync(program) && !isLink(program);
}

/** Atomically switches the program's link to that release. */
export async function putInPlace(place: Place, release: string): Promise<void> {
  await replaceSymlink(linkTo(place, release), place.program);
}

/**
 * Switches the program's link to that release. A plain folder in the place of the link is first moved to
 * become that release. Between these two renames there is no program: if it is killed there, the
 * release's own `bin/ubuntu-ci upgrade` continues.
 */
export async function adopt(place: Place, release: string): Promise<void> {
  if (!isPlainFolder(place)) return putInPlace(place, release);
  const link = join(place.releases, "link");
  rmSync(link, { force: true });
  symlinkSync(linkTo(place, release), link);
  renameSync(place.program, release);
  renameSync(link, place.program);
  await syncPath(place.releases);
  await syncPath(dirname(place.program));
}

function linkTo({ program }: Place, release: string): string {
  return relative(dirname(program), release);
}

/** The program's owner when this is root and has to act as somebody else; else null. */
export function ownerForRoot({ owner }: Place): Account | null {
  return process.geteuid?.() === 0 && owner.uid !== 0 ? owner : null;
}

/** Gives the program's owner a file that root made. */
export async function giveToOwner(place: Place, path: string): Promise<void> {
  const owner = ownerForRoot(place);
  if (owner !== null) await lchown(path, owner.uid, owner.gid);
}

/** Makes a folder among the program's files, which everybody may read. */
export async function makeProgramFolder(
  place: Place,
  path: string,
): Promise<void> {
  await mkdir(path, { mode: 0o755 });
  await giveToOwner(place, path);
}

/** Removes the releases that upgrades made, except for these. */
export async function removeOtherReleases(
  { releases }: Place,
  kept: readonly (string | undefined)[],
): Promise<void> {
  for (const name of await readdir(releases)) {
    const release = join(releases, name);
    if (/^\d{4}-\d\d-\d\dT/.test(name) && !kept.includes(release))
      await removeTree(release);
  }
}

/** The output of the tools that the last upgrade ran. */
export function upgradeLogFile({ releases }: Place): string {
  return join(releases, "upgrade.log");
}
