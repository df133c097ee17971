import { statSync } from "node:fs";
import { userInfo } from "node:os";
import { delimiter, isAbsolute, relative } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that describe the machine, whoever runs something on it. */
const ofMachine = [
  "PATH",
  "TZ",
  "http_proxy",
  "https_proxy",
  "ftp_proxy",
  "all_proxy",
  "no_proxy",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "FTP_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
];

/** Where the system's own tools are. */
export const systemPath = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Variables about the caller's terminal and language. */
const ofTerminal = [
  "TERM",
  "COLORTERM",
  "COLUMNS",
  "LINES",
  "NO_COLOR",
  "FORCE_COLOR",
  "CI",
  "LANG",
  "LANGUAGE",
];

/**
 * Variables of our own, and sudo's: the person behind sudo, what cron/ sets, an upgrade's mark on its
 * processes, and that standard output is closed.
 */
const ofCall = [
  "SUDO_USER",
  "UBUNTU_CI_CRON",
  "UBUNTU_CI_UPGRADE",
  "UBUNTU_CI_STDOUT_CLOSED",
];

function chosen(
  from: Environment,
  wanted: (name: string) => boolean,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(from).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && wanted(entry[0]),
    ),
  );
}

/**
 * The environment of the tools that we start: set, not inherited. Much of what people have in theirs
 * decides what a tool does (GNUPGHOME, APT_CONFIG, TAR_OPTIONS, RSYNC_RSH, PERL5OPT, PYTHONPATH,
 * BASH_ENV, NODE_OPTIONS, LD_PRELOAD); a tool that needs more is given it by name. Their messages are
 * read, so they speak English.
 */
export function environmentOfTools(
  caller: Environment = process.env,
): Record<string, string> {
  return {
    ...chosen(caller, (name) => ofMachine.includes(name)),
    PATH: absoluteFolders(caller["PATH"]).join(delimiter) || systemPath,
    // Of these, HOME is where the tools keep files of their own.
    ...chosen(caller, (name) =>
      [
        ...["HOME", "TMPDIR"],
        // An upgrade finds the processes it left running by this mark.
        "UBUNTU_CI_UPGRADE",
      ].includes(name),
    ),
    ...userNames(),
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
  };
}

let names: Record<string, string> | undefined;

function userNames(): Record<string, string> {
  if (names !== undefined) return names;
  try {
    const { username } = userInfo();
    return (names = { USER: username, LOGNAME: username });
  } catch {
    return (names = {}); // a user without a name
  }
}

/**
 * The environment of a program that root starts as another user: that user's own, without what points
 * into root's world (XDG_*, GNUPGHOME, NODE_OPTIONS, a temporary folder of root's own).
 */
export function environmentOfAccount(
  { name, home }: { readonly name: string; readonly home: string },
  caller: Environment = process.env,
): Record<string, string> {
  const { TMPDIR, PATH, HOME = "" } = caller;
  return {
    ...chosen(
      caller,
      (variable) =>
        [...ofMachine, ...ofTerminal, ...ofCall].includes(variable) ||
        variable.startsWith("LC_"),
    ),
    PATH: absoluteFolders(PATH)
      .filter((folder) => !isBelow(folder, HOME))
      .join(delimiter),
    HOME: home,
    USER: name,
    LOGNAME: name,
    SHELL: "/bin/sh",
    ...(TMPDIR !== undefined && isShared(TMPDIR) && { TMPDIR }),
  };
}

/**
 * The folder for temporary files that every user may write to, and in which nobody can change those
 * of others: root's own TMPDIR may be closed to the one it is going to be.
 */
export function sharedTemporaryFolder(
  caller: Environment = process.env,
): string {
  const { TMPDIR } = caller;
  return TMPDIR !== undefined && isShared(TMPDIR) ? TMPDIR : "/tmp";
}

/** PATH without relative folders: whoever can write to the working folder would choose the tools. */
function absoluteFolders(path = ""): string[] {
  return path.split(delimiter).filter((folder) => isAbsolute(folder));
}

/** A folder below root's own home is closed to others. */
function isBelow(folder: string, home: string): boolean {
  if (!isAbsolute(home) || home === "/") return false;
  const way = relative(home, folder);
  return way !== ".." && !way.startsWith("../");
}

function isShared(folder: string): boolean {
  try {
    const found = statSync(folder);
    // Whoever owns a sticky folder may still rename what others have in it.
    return (
      found.isDirectory() && found.uid === 0 && (found.mode & 0o1777) === 0o1777
    );
  } catch {
    return false; // not there
  }
}
