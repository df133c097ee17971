import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { misconfigured, notNow } from "../../domain/error.ts";
import { writeFileAtomic } from "../../files/atomic-file.ts";
import type { StateVersion } from "../../state/copies.ts";
import type { Place } from "./place.ts";
import type { Change } from "./upgrading.ts";

/**
 * Progress of a change of the program, written before each step of it. A change that is killed while it
 * is `changing` is undone by the next upgrade; one that is `finishing` is completed.
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
  /** Folders of the release that is replaced, and of the one that replaces it. */
  readonly old: string;
  readonly next: string;
  backup: string | null;
  before: StateVersion | null;
  after: StateVersion | null;
  why: string | null;
  /** The last successful change before this one: `--rollback` goes by it when this one is undone. */
  readonly former: UpgradeJournal | null;
}

export function journalFile(place: Place): string {
  return join(place.releases, "journal.json");
}

/**
 * The journal of the last change of the program, or null.
 *
 * @throws UbuntuCiError (78, 75) when it belongs to another version of ubuntu-ci
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

/** Versions without releases swapped two folders. Only their own code can finish that. */
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

/** Writes the journal, with what has changed in it. */
export async function saveJournal(
  { place, journal }: Change,
  changed: Partial<UpgradeJournal> = {},
): Promise<void> {
  Object.assign(journal, changed);
  const text = `${JSON.stringify(journal, null, 2)}\n`;
  await writeFileAtomic(journalFile(place), text, 0o644);
}

/** Whether that change was interrupted. */
export function isUnfinished({ phase }: UpgradeJournal): boolean {
  return phase === "changing" || phase === "finishing";
}

/** The last successful change, without those before it. */
export function lastGood(
  journal: UpgradeJournal | null,
): UpgradeJournal | null {
  return journal?.phase === "done"
    ? { ...journal, former: null }
    : (journal?.former ?? null);
}
