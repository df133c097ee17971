import { existsSync } from "node:fs";

import { misconfigured } from "../domain/error.ts";
import { uidOf, userName } from "../host/account.ts";
import { foreignNames } from "../host/state-modes.ts";
import { mayBeInMaintenance } from "./toggle.ts";
import type { StatePaths } from "../host/paths.ts";
import { advice, remedy } from "../domain/remedy.ts";

/**
 * Requires that this user owns the state folder. Others would fail at private files, or leave files that
 * the owner cannot change.
 *
 * @throws UbuntuCiError (78) when the folder belongs to another user
 */
export function requireOwnState({ root }: StatePaths): void {
  const owner = uidOf(root);
  if (owner === undefined || owner === process.geteuid?.()) return;
  const name = userName(owner);
  throw misconfigured(
    `the state in ${root} belongs to ${name}`,
    owner === 0
      ? "run the command as root, or name a state folder of your own: --state-dir"
      : `run the command as ${name} (sudo -u ${name} ubuntu-ci …) or as root, or name a state folder of your own: --state-dir`,
  );
}

/**
 * Requires that a state exists, for commands that must not make one: they would make an empty one for
 * every mistyped name.
 *
 * @throws UbuntuCiError (78) when there is no state
 */
export function requireState(paths: StatePaths): void {
  // During a restore the state is missing for a moment, with maintenance on.
  if (existsSync(paths.database) || mayBeInMaintenance(paths)) return;
  throw misconfigured(
    `there is no state in ${paths.root}`,
    advice`name its folder with --state-dir, or make one: ${remedy("init")}`,
  );
}

/**
 * A new state begins in a folder of its own, whose path every tool can be given: gpg and apt take one
 * with a colon for a URL.
 *
 * @throws UbuntuCiError (78) when there is no state in it, but something else, or where none can be
 */
export function requireNothingElse(paths: StatePaths): void {
  if (existsSync(paths.database)) return;
  if (paths.root.includes(":"))
    throw misconfigured(
      `${paths.root} has a colon in its path, which gpg and apt take for something else`,
      "name another folder: --state-dir",
    );
  const [found] = foreignNames(paths.root);
  if (found === undefined) return;
  throw misconfigured(
    `${paths.root} holds something else than a state: ${found}`,
    "name an empty folder, or one that is not there yet: --state-dir",
  );
}
