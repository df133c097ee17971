import type { Stats } from "node:fs";
import {
  chmodSync,
  lstatSync,
  readdirSync,
  realpathSync,
  statSync,
} from "node:fs";
import { join } from "node:path";

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
 * - public: everything in it is for everybody
 * - private: everything in it is for its owner alone
 * - shared: the same, but a published file has a second name elsewhere, and with it a public mode
 * - layers: private entries of a layer; the modes of files below them come from packages
 *
 * Of any other entry of the state folder (scratch, what a restore set aside, a program) only the entry
 * itself is checked: it closes everything below it.
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

/** Further names in a state folder, which may be there before the state is. */
const beside =
  /^(?:config\.(?:json|ya?ml)|maintenance\.txt|program|quickstart|scratch|set-aside)$/;

/**
 * What in a folder has nothing to do with a state: `init` does not take over what somebody else keeps
 * there. Hidden names are none of ours either, but harmless.
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

/** Something in a state folder whose mode is wrong. */
interface WrongMode {
  readonly path: string;
  /** Permission bits. */
  readonly found: number;
  readonly wanted: number;
  /** Whether it belongs to another user: only they could set its mode. */
  readonly foreign: boolean;
}

/**
 * Finds the wrong modes in a state folder, from the top down: whoever fixes each one as it comes has
 * closed a folder before its contents are read.
 */
export function* wrongModes(root: string): Generator<WrongMode> {
  const found = ifExistsSync(() => statSync(root));
  if (found === undefined) return;
  yield* ifWrong(root, found, stateFolder);
  for (const name of namesIn(root)) {
    const entry = entryOf(root, name);
    if (entry === undefined) continue;
    // Anybody who may write to this folder may make the toggle, with any mode.
    if (name === "maintenance.txt" && isForeign(entry.found)) continue;
    yield* ifWrong(entry.path, entry.found, entry.wanted);
    yield* wrongInside(entry, 1);
  }
}

/**
 * Whether a folder holds a state of this user: with a mistyped name we must not change the modes of a
 * home or of the system. The owner of the state file tells, because nobody else can make a file of theirs.
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
 * Corrects the modes in a state folder, if it is this user's. When the mode of the folder and those of
 * its direct entries are right, the rest is not checked, which keeps this cheap. The folder's own mode
 * is set last, so that the next process continues after one that was killed.
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
    // An administrator may have moved a folder to another disk and linked it. Links of others are ignored.
    if (itself.uid !== 0 && isForeign(itself)) return undefined;
    const target = ifExistsSync(() => realpathSync(named));
    if (target === undefined || !rooms.has(name)) return undefined;
    [path, found] = [target, lstatSync(target)];
  }
  const wanted = modeOf(found, room ?? "private");
  return wanted === undefined ? undefined : { path, found, wanted, room };
}

/**
 * @param namesOfShared how many names a file of a shared room must have to be taken for published: a
 *   state of before has every file open, and afterwards one may have lost its other name
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

/** The mode it should have; undefined for what is neither a file nor a folder. */
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
  // Files of root are accepted as long as others have no more rights than they should.
  const wrong =
    found.uid === 0 ? (mode & ~wanted & 0o077) !== 0 : mode !== wanted;
  if (wrong || (foreign && found.uid !== 0))
    yield { path, found: mode, wanted, foreign };
}

/** Names in a folder; none where there is none, or where it cannot be read before it is mended. */
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
