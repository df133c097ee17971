import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { misconfigured, notNow } from "../../domain/error.ts";
import { writeFileAtomic } from "../../files/atomic-file.ts";
import type { Place } from "./place.ts";
import type { StateVersion } from "../../state/copies.ts";

/**
 * How far a change of the program has come, written before each part of it. `changing`: if it ends
 * now, everything is put back. `finishing`: the new program is good, the rest is tidying.
 */
export interface UpgradeJournal {
  readonly format: 1;
  /** Also the name of the release that an upgrade makes. */
  readonly id: string;
  readonly kind: "upgrade" | "rollback";
  phase: "changing" | "finishing" | "done" | "undone";
  readonly state: string;
  readonly started_at: string;
  readonly from: string;
  to: string;
  /** Folders of the release before, and of the one that takes its place. */
  readonly old: string;
  readonly next: string;
  backup: string | null;
  before: StateVersion | null;
  after: StateVersion | null;
  why: string | null;
  /** The last change that succeeded: what `--rollback` goes by when this one is undone. */
  readonly former: UpgradeJournal | null;
}

export function journalFile(place: Place): string {
  return join(place.releases, "journal.json");
}

/**
 * The journal of the last change of the program, or null.
 *
 * @throws UbuntuCiError (78, 75) when another version of ubuntu-ci wrote it, or has to finish its own
 */
export function readJournal(place: Place): UpgradeJournal | null {
  const file = journalFile(place);
  if (!existsSync(file)) {
    refuseUnfinishedSwap(place);
    return null;
  }
  const journal = JSON.parse(readFileSync(file, "utf8")) as UpgradeJournal;
  if ((journal.format as number) !== 1)
    throw misconfigured(
      `${file} was written by another version of ubuntu-ci`,
      `use the upgrade of that version, in a folder of ${place.releases}`,
    );
  return journal;
}

/** Versions without releases swapped two folders; what is left of that only their own code can finish. */
function refuseUnfinishedSwap({ program }: Place): void {
  const work = `${program}.upgrade`;
  const file = join(work, "journal.json");
  if (!existsSync(file)) return;
  const { id, phase, old_path } = JSON.parse(readFileSync(file, "utf8")) as {
    id: string;
    phase: string;
    old_path: string;
  };
  if (phase === "done" || phase === "undone") return;
  const moved = [join(work, `new-${id}`), `${program}.previous`];
  const old = old_path === program ? moved.find(existsSync) : old_path;
  throw notNow(
    "the upgrade to this program was interrupted, and the program before has to finish it",
    `run ${old ?? program}/bin/ubuntu-ci upgrade`,
  );
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
export const isUnfinished = ({ phase }: UpgradeJournal) =>
  phase !== "done" && phase !== "undone";

/** A journal's last change that succeeded, without what came before that. */
export function lastGood(
  journal: UpgradeJournal | null,
): UpgradeJournal | null {
  return journal?.phase === "done"
    ? { ...journal, former: null }
    : (journal?.former ?? null);
}
