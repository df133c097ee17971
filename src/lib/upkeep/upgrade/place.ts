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
import { basename, dirname, join, relative, resolve } from "node:path";

import type { Account } from "../../host/account.ts";
import { accountOf } from "../../host/account.ts";
import { replaceSymlink, syncPath } from "../../files/atomic-file.ts";

/** Where the program is, as people and cron call it, and the releases it is one of. */
export interface Place {
  /** A link to the release in use; before its first upgrade it may be a plain folder. */
  readonly program: string;
  /** The folder of the releases, and of the journal, the log and the lock of upgrades. */
  readonly releases: string;
  /** Whose the program's files are. */
  readonly owner: Account;
}

const suffix = ".releases";

/**
 * Finds the place of the program that runs; started as one of its releases, that of all of them.
 *
 * @param executable how the command was called, links not followed
 * @param root the folder the running code is in, links followed
 */
export function locateProgram(executable: string, root: string): Place {
  let path = resolve(executable);
  // An executable in /usr/local/bin may be a link into the program; the program's own folder may be one too.
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

/** Whether the program is a plain folder still, which its first upgrade makes a release of. */
export function isPlainFolder({ program }: Place): boolean {
  return existsSync(program) && !isLink(program);
}

/** Has the program's link lead to that release, in one instant. */
export async function putInPlace(place: Place, release: string): Promise<void> {
  await replaceSymlink(linkTo(place, release), place.program);
}

/**
 * Has the program's link lead to that release, which a plain folder in its place becomes first. That
 * happens once, and for an instant, between two renames, there is no program: killed there, the
 * release's own `bin/ubuntu-ci upgrade` goes on.
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
