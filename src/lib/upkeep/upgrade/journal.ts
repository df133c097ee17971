import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { misconfigured } from "../../domain/error.ts";
import { writeFileAtomic } from "../../files/atomic-file.ts";
import type { Place } from "./place.ts";
import { asideOf } from "./place.ts";
import type { StateVersion } from "../../state/copies.ts";

/**
 * How far a change of the program has come, written before each part of it. `preparing`: nothing but
 * our own folders and the toggle is changed. `changing`: the state may be another version's and the
 * folders may be swapped. `finishing`: the new program is good, the rest is tidying. `undoing`: it
 * is not, and everything is put back.
 */
export interface UpgradeJournal {
  readonly format: 1;
  readonly id: string;
  readonly kind: "upgrade" | "rollback";
  phase: "preparing" | "changing" | "finishing" | "undoing" | "done" | "undone";
  readonly state: string;
  readonly started_at: string;
  readonly from: string;
  to: string;
  /** Folder of the program before, and of the one that takes its place; see folderId. */
  readonly old_folder: string;
  readonly old_path: string;
  new_folder: string | null;
  new_path: string | null;
  backup: string | null;
  before: StateVersion | null;
  after: StateVersion | null;
  why: string | null;
  /** The last change that succeeded: what `--rollback` goes by when this one is undone. */
  readonly former: UpgradeJournal | null;
}

export function journalFile(place: Place): string {
  return join(place.work, "journal.json");
}

/** The journal of the last change of the program, or null. */
export function readJournal(place: Place): UpgradeJournal | null {
  const file = journalFile(place);
  if (!existsSync(file)) return null;
  const journal = JSON.parse(readFileSync(file, "utf8")) as UpgradeJournal;
  if ((journal.format as number) !== 1)
    throw misconfigured(
      `${file} was written by another version of ubuntu-ci`,
      `use the upgrade of that version, ${place.previous}/bin/ubuntu-ci upgrade`,
    );
  return journal;
}

/** Writes down how far a change has come. */
export async function writeJournal(
  place: Place,
  journal: UpgradeJournal,
): Promise<void> {
  await writeFileAtomic(
    journalFile(place),
    `${JSON.stringify(journal, null, 2)}\n`,
    0o644,
  );
}

/** Whether a change was interrupted. */
export const isOpen = ({ phase }: UpgradeJournal) =>
  phase !== "done" && phase !== "undone";

/** A journal's last change that succeeded, without what came before that. */
export function lastGood(journal: UpgradeJournal): UpgradeJournal | null {
  return journal.phase === "done"
    ? { ...journal, former: null }
    : journal.former;
}

/** Where the folders of a change may be, as far as it came. */
export function foldersOf(place: Place, journal: UpgradeJournal): string[] {
  return [
    place.program,
    journal.old_path,
    ...(journal.new_path === null ? [] : [journal.new_path]),
    asideOf(place),
    place.previous,
  ];
}

/** The folder a change makes the new code in, on the file system of the old: beside a link's, else in our own. */
export function stagingFolder(place: Place, journal: UpgradeJournal): string {
  return place.isLink
    ? join(
        dirname(journal.old_path),
        `${basename(place.program)}-${journal.id}`,
      )
    : join(place.work, `new-${journal.id}`);
}
