import { existsSync, lstatSync, statSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { notNow, refused } from "../../domain/error.ts";
import {
  besidePath,
  syncPath,
  writeFileAtomic,
} from "../../files/atomic-file.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { ifExists } from "../../files/optional-file.ts";
import { heldLocks } from "../../locks/lock.ts";
import { endMaintenance, readMaintenance } from "../../locks/maintenance.ts";
import type { StatePaths } from "../../host/paths.ts";
import type { BackupKind, BackupManifest } from "../backup/manifest.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** Entries of the state folder that a restore replaces. Others (layers, backups, log, run) stay. */
const stateFiles = [
  "state.sqlite",
  "state.sqlite-wal",
  "state.sqlite-shm",
] as const;
const entries = {
  database: [...stateFiles, "scratch"],
  full: [
    ...stateFiles,
    "scratch",
    "store",
    "archive",
    "aptly",
    "ppa",
    "gnupg",
    "uploaders",
    "report",
  ],
} as const;

/** Progress of a restore, in .restore/journal.json, from which the next run continues. */
export interface RestoreJournal {
  readonly phase: "unpacking" | "setting-aside" | "placing";
  readonly file: string;
  readonly setAside: string;
  /** Whether the restore switched maintenance on, and so has to switch it off. */
  readonly ownMaintenance: boolean;
  readonly manifest: BackupManifest;
  readonly artifacts: number;
  readonly damaged: readonly string[];
}

/** The folder that a restore works in. */
export const workFolder = (paths: StatePaths) => paths.restore;
export const unpackedFolder = (paths: StatePaths) =>
  join(workFolder(paths), "new");
const journalFile = (paths: StatePaths) =>
  join(workFolder(paths), "journal.json");

/** The journal of an interrupted restore, or null. */
export async function readRestoreJournal(
  paths: StatePaths,
): Promise<RestoreJournal | null> {
  const text = await ifExists(readFile(journalFile(paths), "utf8"));
  return text === undefined ? null : (JSON.parse(text) as RestoreJournal);
}

export async function writeRestoreJournal(
  paths: StatePaths,
  journal: RestoreJournal,
): Promise<void> {
  await writeFileAtomic(journalFile(paths), `${JSON.stringify(journal)}\n`);
}

/** The existing entries of the state folder that a backup of that kind replaces. */
export function existing(paths: StatePaths, kind: BackupKind): string[] {
  return entries[kind].filter((name) => isThere(join(paths.root, name)));
}

/**
 * Checks that the state may be replaced: no command is running, maintenance is on if there is a state,
 * and every entry can be moved aside by a rename.
 *
 * @throws UbuntuCiError (2) when it may not, (75) when a command is running
 */
export function checkPlace(paths: StatePaths): void {
  const running = heldLocks(paths.run).filter(
    ({ dead, pid }) => !dead && pid !== process.pid,
  );
  if (running.length > 0)
    throw notNow(
      `${running.map(({ name, pid }) => `${name} (process ${pid})`).join(", ")} is running`,
      advice`${remedy("maintenance wait")} returns when nothing runs any more`,
    );
  const there = existing(paths, "full");
  if (
    there.some((name) => name !== "scratch") &&
    readMaintenance(paths.maintenance) === null
  )
    throw refused(
      `${paths.root} holds a state: ${there.join(", ")}`,
      advice`${remedy("maintenance on")} first, so that nothing starts; the old state is set aside`,
    );
  const disk = statSync(paths.root, { throwIfNoEntry: false })?.dev;
  const elsewhere = there.find(
    (name) => lstatSync(join(paths.root, name)).dev !== disk,
  );
  if (elsewhere !== undefined)
    throw refused(
      `${join(paths.root, elsewhere)} is a file system of its own, which cannot be set aside`,
      "restore into a folder without a state (--state-dir), and move its files to where they belong",
    );
  const aside = statSync(paths.setAside, { throwIfNoEntry: false });
  if (aside !== undefined && aside.dev !== disk)
    throw refused(
      `${paths.setAside} is on another disk, where nothing can be moved in one instant`,
      "move it away",
    );
}

/** Moves the old state aside and the new one into place. Can be repeated from any point. */
export async function swapState(
  paths: StatePaths,
  journal: RestoreJournal,
): Promise<void> {
  const { manifest, setAside } = journal;
  if (journal.phase === "setting-aside") {
    for (const name of entries[manifest.kind])
      await moveAside(join(paths.root, name), setAside, name);
    await writeRestoreJournal(paths, { ...journal, phase: "placing" });
  }
  // The state file comes last: without it, commands find no state.
  for (const name of [...entries[manifest.kind]].reverse()) {
    const from = join(unpackedFolder(paths), name);
    if (!isThere(from)) continue;
    // A reading command may have made an empty state file in the meantime.
    const there = name === "state.sqlite" ? [...stateFiles] : [name];
    for (const one of there)
      await moveAside(join(paths.root, one), setAside, one);
    await rename(from, join(paths.root, name));
    crashPoint("restore.placed");
  }
  await syncPath(paths.root);
  if (journal.ownMaintenance) endMaintenance(paths.maintenance);
  await rm(workFolder(paths), { recursive: true, force: true });
}

async function moveAside(
  path: string,
  folder: string,
  name: string,
): Promise<void> {
  if (!isThere(path)) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const place = join(folder, name);
  await rename(path, existsSync(place) ? besidePath(place) : place);
  crashPoint("restore.set-aside");
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
