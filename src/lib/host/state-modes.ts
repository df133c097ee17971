import type { Stats } from "node:fs";
import {
  chmodSync,
  lstatSync,
  readdirSync,
  realpathSync,
  statSync,
} from "node:fs";
import { join } from "node:path";

import { isUnfinished } from "../files/atomic-file.ts";
import { hasCode, ifExistsSync } from "../files/optional-file.ts";
import {
  privateFile,
  privateFolder,
  publicFile,
  publicFolder,
  stateFolder,
} from "../files/modes.ts";

/**
 * Which modes the contents of a folder in the state must have:
 *
 * - public: readable to everybody
 * - private: accessible only to the owner
 * - shared: private, except that a published file has a second name (hard link) elsewhere and with it a
 *   public mode
 * - layers: private down to the entries of a layer, below which packages determine the modes
 *
 * Any other entry of the state folder (scratch, what a restore set aside, a program) is only checked
 * itself: if it is private, nobody can reach what it contains.
 */
type Room = "public" | "private" | "shared" | "layers";

const rooms = new Map<string, Room>([
  ["archive", "public"],
  ["ppa", "public"],
  ["report", "public"],
  ["run", "private"],
  ["locks", "private"],
  ["log", "private"],
  ["uploaders", "private"],
  ["gnupg", "private"],
  ["backups", "private"],
  ["store", "shared"],
  ["aptly", "shared"],
  ["layers", "layers"],
]);

/** Further names that belong in a state folder, and may exist before the state does. */
const beside =
  /^(?:config\.(?:json|ya?ml)|maintenance\.txt|program|quickstart|scratch|set-aside)$/;

/**
 * Names in a folder that do not belong to a state: `init` does not take over a folder with other
 * contents. Hidden names are ignored.
 */
export function foreignNames(root: string): string[] {
  return namesIn(root).filter(
    (name) =>
      !rooms.has(name) &&
      !beside.test(name) &&
      !name.startsWith("state.sqlite") &&
      !name.startsWith("."),
  );
}

/** A file or folder in the state folder whose mode is wrong. */
interface WrongMode {
  readonly path: string;
  /** Permission bits. */
  readonly found: number;
  readonly wanted: number;
  /** Whether it belongs to another user, who alone could change its mode. */
  readonly foreign: boolean;
}

/**
 * Finds the wrong modes in a state folder, from the top down: a caller who corrects each one at once
 * has made a folder private before its contents are listed.
 */
export function* wrongModes(root: string): Generator<WrongMode> {
  const found = ifExistsSync(() => statSync(root));
  if (found === undefined) return;
  yield* ifWrong(root, found, stateFolder);
  for (const name of namesIn(root)) {
    const entry = entryOf(root, name);
    if (entry === undefined) continue;
    // Another user who may write to this folder may have made maintenance.txt, with any mode.
    if (name === "maintenance.txt" && isForeign(entry.found)) continue;
    yield* ifWrong(entry.path, entry.found, entry.wanted);
    yield* wrongInside(entry, 1);
  }
}

/**
 * Whether a folder contains a state of this user: for a mistyped name, the modes of a home or of the
 * system must not be changed. The owner of state.sqlite proves it, since nobody can create a file that
 * belongs to another user.
 */
function isState(root: string): boolean {
  const sticky = 0o1000;
  const folder = ifExistsSync(() => statSync(root));
  const database = ifExistsSync(() => lstatSync(join(root, "state.sqlite")));
  return (
    folder !== undefined &&
    !isForeign(folder) &&
    (folder.mode & sticky) === 0 &&
    database?.isFile() === true &&
    !isForeign(database)
  );
}

/**
 * Corrects the modes in a state folder that belongs to this user. When the modes of the folder and of
 * its direct entries are right, the rest is not checked, which keeps this cheap. The folder's own mode
 * is set last: if this process is killed, the next one continues.
 */
export function putModesRight(root: string): void {
  if (!isState(root)) return;
  const state = statSync(root);
  const known = permissions(state) === stateFolder;
  for (const name of namesIn(root)) {
    const entry = entryOf(root, name);
    if (entry === undefined || isForeign(entry.found)) continue;
    const wrong = permissions(entry.found) !== entry.wanted;
    if (wrong) change(entry.path, entry.wanted);
    if (wrong || !known)
      for (const { path, wanted, foreign } of wrongInside(entry, 2))
        if (!foreign) change(path, wanted);
  }
  if (!known) change(root, stateFolder);
}

/** Sets the mode if the file system and this user's rights allow it; `fsck` reports the rest. */
function change(path: string, mode: number): void {
  try {
    ifExistsSync(() => chmodSync(path, mode));
  } catch (thrown) {
    if (!["EPERM", "EROFS", "ENOTSUP"].some((code) => hasCode(thrown, code)))
      throw thrown;
  }
}

interface Entry {
  readonly path: string;
  readonly found: Stats;
  readonly wanted: number;
  readonly room: Room | undefined;
}

/** An entry of the state folder; undefined when it is neither file nor folder, or an unrelated link. */
function entryOf(root: string, name: string): Entry | undefined {
  const room = rooms.get(name);
  const named = join(root, name);
  const itself = lstatSync(named, { throwIfNoEntry: false });
  if (itself === undefined) return undefined;
  let [path, found] = [named, itself];
  if (itself.isSymbolicLink()) {
    // An administrator may have moved a folder to another disk and linked it. Links of other users are ignored.
    if (itself.uid !== 0 && isForeign(itself)) return undefined;
    const target = ifExistsSync(() => realpathSync(named));
    if (target === undefined || !rooms.has(name)) return undefined;
    [path, found] = [target, lstatSync(target)];
  }
  const wanted = modeOf(found, room ?? "private");
  return wanted === undefined ? undefined : { path, found, wanted, room };
}

/**
 * @param namesOfShared how many names (hard links) a file in a shared folder must have for a public mode
 *   to be right. Two when modes are corrected, as an earlier version made every file public; one when
 *   they are only checked, since a published file may lose its second name
 */
function* wrongInside(
  { path, found, room }: Entry,
  namesOfShared: number,
): Generator<WrongMode> {
  if (room === undefined || !found.isDirectory()) return;
  yield* wrongBelow(path, room, namesOfShared, 1);
}

function* wrongBelow(
  folder: string,
  room: Room,
  namesOfShared: number,
  depth: number,
): Generator<WrongMode> {
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    const wanted = found === undefined ? undefined : modeOf(found, room);
    if (found === undefined || wanted === undefined) continue;
    if (room === "layers" && depth > 1 && found.isDirectory()) continue;
    // A file that is being written gets its mode at the end.
    if (isUnfinished(name) && (permissions(found) & ~wanted) === 0) continue;
    const isPublished =
      room === "shared" &&
      found.isFile() &&
      permissions(found) === publicFile &&
      found.nlink >= namesOfShared;
    if (!isPublished) yield* ifWrong(path, found, wanted);
    if (found.isDirectory() && !isForeign(found))
      yield* wrongBelow(path, room, namesOfShared, depth + 1);
  }
}

/** The mode that an entry should have; undefined if it is neither file nor folder. */
function modeOf(found: Stats, room: Room): number | undefined {
  if (found.isDirectory())
    return room === "public" ? publicFolder : privateFolder;
  if (found.isFile()) return room === "public" ? publicFile : privateFile;
  return undefined;
}

function* ifWrong(
  path: string,
  found: Stats,
  wanted: number,
): Generator<WrongMode> {
  const mode = permissions(found);
  const foreign = isForeign(found);
  // An entry that belongs to root is accepted if it grants others no more rights than it should.
  const wrong =
    found.uid === 0 ? (mode & ~wanted & 0o077) !== 0 : mode !== wanted;
  if (wrong || (foreign && found.uid !== 0))
    yield { path, found: mode, wanted, foreign };
}

/** Names in a folder; empty when it does not exist, or cannot be read until its mode is corrected. */
function namesIn(folder: string): string[] {
  try {
    return ifExistsSync(() => readdirSync(folder)) ?? [];
  } catch (thrown) {
    if (hasCode(thrown, "EACCES")) return [];
    throw thrown;
  }
}

const permissions = ({ mode }: Stats) => mode & 0o7777;

const isForeign = ({ uid }: Stats) => uid !== process.geteuid?.();
