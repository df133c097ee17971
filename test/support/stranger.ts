import { execFileSync, spawnSync } from "node:child_process";
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * What turns a command into another user's: of the subordinate ids of this one, so no file's owner
 * here. It keeps the host's mounts and network; what a mode denies to everybody is denied to it.
 */
export const asStranger: readonly string[] = [
  ...["unshare", "--user", "--map-auto", "--map-root-user"],
  ...["setpriv", "--reuid=1", "--regid=1", "--clear-groups", "--"],
];

/** What another user could do with the paths given. */
export interface Attempted {
  readonly user: number;
  /** Files that it could read. */
  readonly read: readonly string[];
  /** Folders whose names it could read. */
  readonly listed: readonly string[];
  /** What it could change, and how. */
  readonly changed: readonly string[];
}

/** Tries everything on these paths as another user. */
export function attemptAsStranger(paths: readonly string[]): Attempted {
  const script = join(import.meta.dirname, "stranger.js");
  const [command = "", ...args] = [
    ...asStranger,
    ...[process.execPath, "--input-type=module"],
    // Read by us: it may not be able to enter our checkout.
    ...["--eval", execFileSync("cat", [script], { encoding: "utf8" })],
  ];
  const { stdout, stderr, status } = spawnSync(command, args, {
    cwd: "/",
    input: paths.map((path) => `${path}\0`).join(""),
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
    env: { PATH: process.env["PATH"] ?? "" },
  });
  if (status !== 0) throw new Error(`the stranger failed: ${stderr}`);
  return JSON.parse(stdout) as Attempted;
}

/** A folder and everything in it, links not followed. */
export function everythingIn(path: string): string[] {
  const names = lstatSync(path).isDirectory() ? readdirSync(path) : [];
  return [path, ...names.flatMap((name) => everythingIn(join(path, name)))];
}
