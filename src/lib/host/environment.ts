import { statSync } from "node:fs";
import { userInfo } from "node:os";
import { delimiter, isAbsolute, relative } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that describe the machine, not the caller. */
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

/** The search path of the system's own tools. */
export const systemPath = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Variables that describe the caller's terminal and language. */
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
 * The environment of the tools that this program starts: built from a few variables, not inherited,
 * because many others change what a tool does (GNUPGHOME, APT_CONFIG, TAR_OPTIONS, RSYNC_RSH, PERL5OPT,
 * PYTHONPATH, BASH_ENV, NODE_OPTIONS, LD_PRELOAD). A caller adds by name what a tool needs besides.
 * The locale is English, since messages of tools are parsed.
 */
export function environmentOfTools(
  caller: Environment = process.env,
): Record<string, string> {
  return {
    ...chosen(caller, (name) => ofMachine.includes(name)),
    PATH: absoluteFolders(caller["PATH"]).join(delimiter) || systemPath,
    // Tools keep files of their own below HOME.
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
    return (names = {}); // the user id has no account
  }
}

/**
 * The environment of a program that root starts as another user: that user's own, without variables
 * that refer to root's files (XDG_*, GNUPGHOME, NODE_OPTIONS, a temporary folder that is root's alone).
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
 * The shared folder for temporary files, in which every user may write and nobody can change the files
 * of others. Root's TMPDIR is used only if it is such a folder: the user that root switches to may not
 * be able to enter it otherwise.
 */
export function sharedTemporaryFolder(
  caller: Environment = process.env,
): string {
  const { TMPDIR } = caller;
  return TMPDIR !== undefined && isShared(TMPDIR) ? TMPDIR : "/tmp";
}

/** PATH without relative folders: anybody who can write to the working folder could replace a tool. */
function absoluteFolders(path = ""): string[] {
  return path.split(delimiter).filter((folder) => isAbsolute(folder));
}

/** Whether a folder lies in a home, which is closed to other users. */
function isBelow(folder: string, home: string): boolean {
  if (!isAbsolute(home) || home === "/") return false;
  const way = relative(home, folder);
  return way !== ".." && !way.startsWith("../");
}

function isShared(folder: string): boolean {
  try {
    const found = statSync(folder);
    // Root's only: the owner of a sticky folder may rename the files of others in it.
    return (
      found.isDirectory() && found.uid === 0 && (found.mode & 0o1777) === 0o1777
    );
  } catch {
    return false; // the folder does not exist
  }
}
