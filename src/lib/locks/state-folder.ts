import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { basename, join } from "node:path";

import type { UbuntuCiError } from "../domain/error.ts";
import { bringBack, Damage, misconfigured } from "../domain/error.ts";
import { ifExistsSync, isThere } from "../files/optional-file.ts";
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
 * Only some commands make a state: others would make an empty one for every mistyped name, and one that
 * lost its state file would look as if it had just begun.
 *
 * @throws UbuntuCiError (78) when there is none, or only what is left of one
 */
export function requireState(paths: StatePaths): void {
  if (sizeOf(paths.database) > 0) return;
  // While a state is restored there is none for a moment, and maintenance is on.
  if (isThere(paths.restore) && mayBeInMaintenance(paths)) return;
  refuseLostState(paths);
  throw noState(paths);
}

/** @throws Damage where a state was, and its state file is gone */
export function refuseLostState(paths: StatePaths): void {
  const left = sizeOf(paths.database) > 0 ? [] : tracesOf(paths);
  if (left.length > 0) throw lost(paths, left);
}

/**
 * For what is to help with a damaged state: there has to be a state, or what is left of one.
 *
 * @throws UbuntuCiError (78) when there is nothing of the kind
 */
export function requireSomeState(paths: StatePaths): void {
  if (isThere(paths.database) || tracesOf(paths).length > 0) return;
  throw noState(paths);
}

/**
 * A new state begins in a folder of its own, and never beside what another one left.
 *
 * @throws UbuntuCiError (78) when there is no state file in it, but something else
 */
export function requireNothingElse(paths: StatePaths): void {
  const size = sizeOf(paths.database);
  refuseLostState(paths);
  if (size > 0 || isThere(paths.database)) return;
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

/**
 * Every state has an archive, if only an empty one: what works without it would work on nothing.
 *
 * @throws UbuntuCiError (78) when what clients see of it is missing
 */
export function requireArchive({ archive, database }: StatePaths): void {
  const dists = join(archive, "dists");
  // The state is being restored.
  if (!isThere(database)) return;
  const seen = ifExistsSync(() => realpathSync(dists));
  const record = join(seen ?? dists, "../revision.json");
  if (seen !== undefined && beginsWell(record)) return;
  const what = !isThere(archive)
    ? `the archive ${archive} is missing`
    : `the archive is damaged: ${
        seen !== undefined
          ? `${record} does not describe a revision`
          : `${dists} ${isThere(dists) ? "leads nowhere" : "is missing"}`
      }`;
  throw new Damage(
    what,
    advice`${remedy("fsck")} says what can be done; if its revisions are gone, ${bringBack}. Where no archive was made yet: ${remedy("init")}`,
  );
}

/** Whether a revision's record begins as it is written. Those who read it check the rest, which may be long. */
function beginsWell(record: string): boolean {
  const file = ifExistsSync(() => openSync(record, "r"));
  if (file === undefined) return false;
  try {
    const head = Buffer.alloc(64);
    const size = readSync(file, head, 0, head.length, 0);
    return /^\{\s*"revision":\s*[0-9]+,/.test(head.toString("utf8", 0, size));
  } finally {
    closeSync(file);
  }
}

/** What in a folder only a state leaves behind, and no command can make again: by folder, a name in it. */
const traces: Readonly<Record<string, RegExp>> = {
  store: /^ticket\.[0-9]/,
  archive: /^\.revisions$/,
  gnupg: /^signing-key\.json$/,
  uploaders: /^[0-9A-F]{40,64}\./,
};

/** What is left of a state beside its state file, as paths relative to its folder. A new one has empty folders alone. */
function tracesOf({ root, database }: StatePaths): string[] {
  const namesIn = (folder: string) =>
    ifExistsSync(() => readdirSync(folder)) ?? [];
  const folders = Object.entries(traces)
    .filter(([name, trace]) =>
      namesIn(join(root, name)).some((one) => trace.test(one)),
    )
    .map(([name]) => `${name}/`);
  const name = basename(database);
  const files = namesIn(root).filter(
    (file) => file.startsWith(`${name}-`) || file.startsWith(`${name}.before`),
  );
  return [...folders, ...files];
}

/** 0 of what is not there; SQLite takes a file that was cut to nothing for a new one. */
function sizeOf(file: string): number {
  return ifExistsSync(() => statSync(file).size) ?? 0;
}

function noState({ root }: StatePaths): UbuntuCiError {
  return misconfigured(
    `there is no state in ${root}`,
    advice`name its folder with --state-dir, or make one: ${remedy("init")}`,
  );
}

function lost({ database }: StatePaths, left: readonly string[]): Damage {
  return new Damage(
    `the state file ${database} is ${isThere(database) ? "empty" : "missing"} beside ${left.join(", ")}`,
    bringBack,
  );
}
