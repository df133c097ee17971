import {
  accessSync,
  chownSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";

import { misconfigured } from "../domain/error.ts";
import { makeNamedFolder } from "./make-folder.ts";

/** The system user that `maintenance/quickstart` makes when root runs it. */
const systemUser = "ubuntu-ci";

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/**
 * Whom root becomes before it works on a state folder, or undefined when this is not root. Builds
 * never run as root. A state folder that is missing or empty is handed to the system user, when
 * there is one; without one root keeps it, and whatever needs a session says what to do.
 */
export function stateOwner(root: string): Account | undefined {
  return process.geteuid?.() === 0 ? ownerOf(root) : undefined;
}

/** Becomes the owner of a state folder, for good. */
export function become(owner: Account, root: string): void {
  try {
    process.setgroups?.([owner.gid]);
    process.setgid?.(owner.gid);
    process.setuid?.(owner.uid);
  } catch (thrown) {
    throw misconfigured(
      `cannot become ${owner.name}, who owns ${root}`,
      `run the command as ${owner.name}`,
      thrown,
    );
  }
  Object.assign(process.env, {
    HOME: owner.home,
    USER: owner.name,
    LOGNAME: owner.name,
  });
  delete process.env["XDG_RUNTIME_DIR"];
  try {
    accessSync(".");
  } catch {
    process.chdir("/");
  }
}

/** The account of that user id; its number is its name when nobody has it. */
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

function ownerOf(root: string): Account | undefined {
  const uid = statSync(root, { throwIfNoEntry: false })?.uid;
  if (uid !== undefined && uid !== 0)
    return account((candidate) => candidate.uid === uid);
  const system = account(({ name }) => name === systemUser);
  if (system === undefined) return undefined;
  if (uid === undefined) makeNamedFolder(root);
  else if (readdirSync(root).length > 0) return undefined;
  chownSync(root, system.uid, system.gid);
  return system;
}

function account(wanted: (candidate: Account) => boolean): Account | undefined {
  return readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .map(([name = "", , uid, gid, , home = "/"]) => ({
      name,
      uid: Number(uid),
      gid: Number(gid),
      home,
    }))
    .find((candidate) => candidate.name !== "" && wanted(candidate));
}
