import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";

import { misconfigured } from "../domain/error.ts";
import { makeNamedFolder } from "../files/make-folder.ts";
import { followPath } from "./trusted-file.ts";

/** The system user that `maintenance/quickstart` makes when root runs it. */
const systemUser = "ubuntu-ci";

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Whether this process runs as root. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The account that root switches to before it works on a state folder: the folder's owner or, for a
 * missing or empty folder, the system user if that exists. Undefined when the folder belongs to root;
 * commands that need a session then refuse to run, since builds never run as root.
 *
 * @param make whether the folder may be made and given to the system user; only some commands begin a
 *   state
 * @throws UbuntuCiError (78) when the owner has no account, or when others could replace a new folder
 */
export async function stateOwner(
  root: string,
  make: boolean,
): Promise<Account | undefined> {
  const uid = uidOf(root);
  if (uid !== undefined && uid !== 0) return knownAccount(uid, root);
  const system = account(({ name }) => name === systemUser);
  if (system === undefined) return undefined;
  if (uid !== undefined && !isEmptyFolder(root)) return undefined;
  if (make) giveNewFolder(root, system);
  return system;
}

function isEmptyFolder(path: string): boolean {
  return (
    statSync(path, { throwIfNoEntry: false })?.isDirectory() === true &&
    readdirSync(path).length === 0
  );
}

/** The account of a user id; one that has no account is named by its number. */
export function accountOf(uid: number, gid: number): Account {
  return (
    account((candidate) => candidate.uid === uid) ?? {
      name: String(uid),
      uid,
      gid,
      home: "/",
    }
  );
}

/** User id of the owner of a file or folder; undefined when it does not exist. */
export function uidOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.uid;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw thrown;
  }
}

/** Name of a user, for messages. */
export function userName(uid: number): string {
  return accountOf(uid, 0).name;
}

async function knownAccount(uid: number, root: string): Promise<Account> {
  const known = account((candidate) => candidate.uid === uid);
  if (known !== undefined) return known;
  // Accounts may have another source than /etc/passwd, such as LDAP (nsswitch.conf(5)).
  const { exec } = await import("./exec.ts");
  const asked = await exec(["getent", "passwd", String(uid)]);
  const found = accountsIn(asked.stdout).find(
    (candidate) => candidate.uid === uid,
  );
  if (found !== undefined) return found;
  throw misconfigured(
    `${root} belongs to the user ${uid}, whom this machine does not know`,
    `give it to the user who shall run the toolchain: chown --recursive USER: ${root}`,
  );
}

/**
 * Makes the folder and gives it to the system user. Its owner is changed by descriptor, not by path: if
 * somebody replaced the folder by a link, root would give away the link's target.
 */
function giveNewFolder(root: string, system: Account): void {
  requireRootsOwn(root);
  makeNamedFolder(root);
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const folder = openSync(
    requireRootsOwn(root),
    O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
  );
  try {
    const isNew =
      fstatSync(folder).uid === 0 &&
      readdirSync(`/proc/self/fd/${folder}`).length === 0;
    if (!isNew) throw misconfigured(`${root} has changed meanwhile`);
    fchownSync(folder, system.uid, system.gid);
  } finally {
    closeSync(folder);
  }
}

/** The real path, provided that only root can change where it leads. */
function requireRootsOwn(root: string): string {
  const { end, weakness } = followPath(root, new Set([0]));
  if (weakness === undefined) return end;
  throw misconfigured(
    `root makes no state folder ${root}: ${weakness.why}`,
    "run the command as the user who shall own it, or name a folder that only root may change",
  );
}

function account(wanted: (candidate: Account) => boolean): Account | undefined {
  return accountsIn(readFileSync("/etc/passwd", "utf8")).find(wanted);
}

function accountsIn(passwd: string): Account[] {
  return passwd
    .split("\n")
    .map((line) => line.split(":"))
    .map(([name = "", , uid, gid, , home = "/"]) => ({
      name,
      uid: Number(uid),
      gid: Number(gid),
      home,
    }))
    .filter(({ name }) => name !== "");
}
