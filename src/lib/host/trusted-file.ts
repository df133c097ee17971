import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";

import { misconfigured } from "../domain/error.ts";

/** How somebody else could change a file, and how to prevent that. */
interface Weakness {
  readonly why: string;
  readonly remedy: string;
}

/** The contents of a file, and the user id of its owner. */
interface TrustedFile {
  readonly text: string;
  readonly uid: number;
}

const sticky = 0o1000;
const mostBytes = 1024 * 1024;
const mostLinks = 40;

/**
 * Reads a file that only these users can have written or replaced. The file is opened once, then checked
 * and read through its descriptor. Every folder on its path is checked, also on the paths of links; in a
 * sticky folder (/tmp) nobody can replace the files of others.
 *
 * @param users ids of the trusted users
 * @param what a name for the file in messages
 * @throws UbuntuCiError (78) with the path, the reason and the remedy when others could change the file;
 *   a system error when it cannot be read
 */
export function readTrusted(
  path: string,
  users: ReadonlySet<number>,
  what: string,
): TrustedFile {
  const way = followPath(path, users);
  if (way.weakness !== undefined) throw notTrusted(what, path, way.weakness);
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = openSync(way.end, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const status = fstatSync(file);
    const { uid, size } = status;
    if (!status.isFile())
      throw notTrusted(what, path, {
        why: "it is not a regular file",
        remedy: "name a file",
      });
    const weakness = weaknessOfFile(way.end, status, users);
    if (weakness !== undefined) throw notTrusted(what, path, weakness);
    if (size > mostBytes)
      throw notTrusted(what, path, {
        why: `it has ${size} bytes`,
        remedy: `${mostBytes} are the most`,
      });
    const bytes = Buffer.alloc(size);
    const length = readSync(file, bytes, 0, size, 0);
    return { text: bytes.toString("utf8", 0, length), uid };
  } finally {
    closeSync(file);
  }
}

/**
 * Follows every link of a path, and checks whether anybody but these users could change where it leads.
 * The file at its end is not checked, and need not exist.
 */
export function followPath(
  path: string,
  users: ReadonlySet<number>,
): { readonly end: string; readonly weakness?: Weakness } {
  const parts = namesOf(resolve(path));
  let at = "/";
  let links = 0;
  for (;;) {
    const name = parts.shift();
    if (name === undefined) return { end: at };
    const inFolder = weaknessOfFolder(at, users);
    if (inFolder !== undefined) return { end: at, weakness: inFolder };
    if (name === "..") {
      at = dirname(at);
      continue;
    }
    const next = join(at, name);
    const found = lstatSync(next, { throwIfNoEntry: false });
    if (found === undefined) return { end: join(next, ...parts) };
    if (!found.isSymbolicLink()) {
      at = next;
      continue;
    }
    // Anybody may have made a link in a sticky folder.
    if (!isOneOf(found.uid, users))
      return { end: next, weakness: ownedBy(next, found.uid) };
    links += 1;
    if (links > mostLinks) return { end: next, weakness: roundInCircles(next) };
    const target = readlinkSync(next);
    parts.unshift(...namesOf(target));
    if (target.startsWith("/")) at = "/";
  }
}

const namesOf = (path: string): string[] =>
  path.split("/").filter((name) => name !== "" && name !== ".");

function weaknessOfFolder(
  folder: string,
  users: ReadonlySet<number>,
): Weakness | undefined {
  const found = lstatSync(folder);
  if (!isOneOf(found.uid, users)) return ownedBy(folder, found.uid);
  return (found.mode & sticky) !== 0 ? undefined : writable(folder, found.mode);
}

function weaknessOfFile(
  path: string,
  { uid, mode }: { readonly uid: number; readonly mode: number },
  users: ReadonlySet<number>,
): Weakness | undefined {
  return users.has(uid) ? writable(path, mode) : ownedBy(path, uid);
}

function writable(path: string, mode: number): Weakness | undefined {
  if ((mode & 0o022) === 0) return undefined;
  const who = (mode & 0o002) !== 0 ? "everybody" : "its group";
  return {
    why: `${who} may write ${path} (mode ${(mode & 0o7777).toString(8)})`,
    remedy: `chmod go-w ${path}`,
  };
}

function ownedBy(path: string, uid: number): Weakness {
  return {
    why: `${path} belongs to ${nameOf(uid)}`,
    remedy: `chown it to the user who shall decide here, or take another place`,
  };
}

function roundInCircles(path: string): Weakness {
  return { why: `${path} is a link too many`, remedy: "name the file itself" };
}

function nameOf(uid: number): string {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((candidate) => candidate.split(":")[2] === String(uid));
  return line?.split(":")[0] ?? `the user ${uid}`;
}

/** Whether a folder or link belongs to one of these users. */
function isOneOf(uid: number, users: ReadonlySet<number>): boolean {
  return users.has(uid) || (uid === unknownUser() && isNamespaced());
}

/**
 * Whether this process is in a user namespace, such as an unprivileged container. The machine's root may
 * have no user id there, and what belongs to it appears as owned by the overflow user; it is trusted
 * like root.
 */
function isNamespaced(): boolean {
  const map = readFileSync("/proc/self/uid_map", "utf8").trim();
  return !/^0\s+0\s+4294967295$/.test(map);
}

function unknownUser(): number {
  return Number(readFileSync("/proc/sys/kernel/overflowuid", "utf8"));
}

function notTrusted(what: string, path: string, { why, remedy }: Weakness) {
  return misconfigured(`${what} ${path} is not read: ${why}`, remedy);
}
