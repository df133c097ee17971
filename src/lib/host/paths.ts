import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { refused } from "../domain/error.ts";
import { callersFolder } from "./callers-folder.ts";

/** Root folder of this program's own files: templates/, bin/, package.json. */
export const programRoot = rootAbove(import.meta.dirname);

function rootAbove(folder: string): string {
  return existsSync(join(folder, "package.json"))
    ? folder
    : rootAbove(dirname(folder));
}

/** The layout of a state folder. All paths are absolute. */
export interface StatePaths {
  readonly root: string;
  readonly database: string;
  readonly maintenance: string;
  /** PID files. */
  readonly run: string;
  /** Lock files of `exclusively` (locks/exclusively.ts); always empty, and never removed. */
  readonly locks: string;
  readonly log: string;
  /** The data store: store/CONTAINER/FILE. */
  readonly store: string;
  readonly layers: string;
  /** The archive's public tree. */
  readonly archive: string;
  /** Public trees of the PPAs: ppa/NAME. */
  readonly ppa: string;
  readonly report: string;
  /** One folder per run, removed after it. */
  readonly scratch: string;
  /** GnuPG home with the installation's signing key. */
  readonly gnupg: string;
  /** One binary key file per uploader: uploaders/FINGERPRINT.gpg. */
  readonly uploaders: string;
  /** aptly's own data, one folder per repository. */
  readonly aptly: string;
  readonly backups: string;
  /** What `restore` and `fsck` moved out of the way, one folder each time. */
  readonly setAside: string;
  /** Where `restore` works until the new state is in place. */
  readonly restore: string;
}

/** The paths of a state folder, by its root. */
export function statePaths(root: string): StatePaths {
  const absolute = resolve(root);
  return {
    root: absolute,
    database: join(absolute, "state.sqlite"),
    maintenance: join(absolute, "maintenance.txt"),
    run: join(absolute, "run"),
    locks: join(absolute, "locks"),
    log: join(absolute, "log"),
    store: join(absolute, "store"),
    layers: join(absolute, "layers"),
    archive: join(absolute, "archive"),
    ppa: join(absolute, "ppa"),
    report: join(absolute, "report"),
    scratch: join(absolute, "scratch"),
    gnupg: join(absolute, "gnupg"),
    uploaders: join(absolute, "uploaders"),
    aptly: join(absolute, "aptly"),
    backups: join(absolute, "backups"),
    setAside: join(absolute, "set-aside"),
    restore: join(absolute, ".restore"),
  };
}

/**
 * The state folder: the option, else UBUNTU_CI_STATE_DIR, else /var/lib/ubuntu-ci if it exists, else
 * $XDG_STATE_HOME/ubuntu-ci. A /var/lib/ubuntu-ci that belongs to another user counts as well, since
 * nobody would make a second state on the same machine except by accident.
 */
export function stateDir(
  option: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): string {
  if (option !== undefined) return resolve(callersFolder(), option);
  const fromEnv = env["UBUNTU_CI_STATE_DIR"];
  if (fromEnv !== undefined && fromEnv !== "")
    return resolve(callersFolder(), fromEnv);
  const system = "/var/lib/ubuntu-ci";
  if (existsSync(system)) return system;
  const xdg = env["XDG_STATE_HOME"];
  return join(
    xdg !== undefined && xdg !== "" ? xdg : join(homedir(), ".local/state"),
    "ubuntu-ci",
  );
}

/**
 * Path of an entry of a folder, for an untrusted name.
 *
 * @throws UbuntuCiError (2) when the name is empty, contains a slash or a NUL, or is . or ..
 */
export function childPath(folder: string, name: string): string {
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
    throw refused(`${JSON.stringify(name)} is not a file name`);
  }
  return join(folder, name);
}
