import type { Landing, LandingsReport, QaState } from "../domain/landing.ts";
import type { Verdict } from "../domain/qa.ts";
import { verdictInWords } from "../domain/qa.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { lastEvent, recordEvent } from "./events.ts";

/** Who gave a verdict, and when. */
export interface VerdictGiver {
  readonly actor: string;
  readonly at: string;
}

/** Adds a verdict on the landings of a revision to the history. Call inside the transaction that checked it. */
export function recordVerdict(
  db: Connection,
  landings: readonly Landing[],
  verdict: Verdict,
  actor: string,
): void {
  const [first] = landings;
  if (first === undefined) return;
  const { revision, commit, ticket } = first;
  const { qa, rollbackOf, until, note } = verdict;
  db.prepare(
    `INSERT INTO verdict (revision, commit_hash, qa, rollback_of, until, note, actor, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(revision, commit ?? null, qa, rollbackOf, until, note, actor, now());
  recordEvent(db, {
    actor,
    subject: "landing",
    subject_id: commit ?? revision,
    what: "qa",
    from_state: first.qa,
    to_state: qa,
    why: verdictInWords(verdict),
    ...(ticket !== null && { ticket }),
  });
}

/** The newest verdict on a revision of the archive, or on a commit; null when there is none. */
export function lastVerdict(
  db: Connection,
  of: { readonly revision: number } | { readonly commit: string },
): VerdictGiver | null {
  const [column, value] =
    "commit" in of
      ? (["commit_hash", of.commit] as const)
      : (["commit_hash IS NULL AND revision", of.revision] as const);
  return (
    db
      .prepare<[string | number], VerdictGiver>(
        `SELECT actor, at FROM verdict WHERE ${column} = ? ORDER BY id DESC LIMIT 1`,
      )
      .get(value) ?? null
  );
}

/** A verdict on a commit. */
export interface CommitVerdict {
  readonly commit: string;
  readonly qa: QaState;
  readonly rollback_of: number | null;
  readonly until: string | null;
  readonly note: string | null;
}

/** All verdicts on commits, oldest first. */
export function commitVerdicts(db: Connection): CommitVerdict[] {
  return db
    .prepare<[], CommitVerdict>(
      `SELECT commit_hash AS "commit", qa, rollback_of, until, note FROM verdict
       WHERE commit_hash IS NOT NULL ORDER BY id`,
    )
    .all();
}

/**
 * Adds to the history that another revision of a series is deployable now, if it is, and why.
 *
 * @param found what the change source is like, in words
 * @param why what was done, or null when only time or the change source has gone on
 */
export function noteDeployable(
  db: Connection,
  {
    series,
    deployable_revision,
    blocked_by,
  }: Pick<LandingsReport, "series" | "deployable_revision" | "blocked_by">,
  found: string,
  why: string | null,
  actor: string,
): void {
  const before = lastEvent(db, "landing", series)?.to_state ?? "none";
  const after = String(deployable_revision ?? "none");
  if (before === after) return;
  recordEvent(db, {
    actor,
    subject: "landing",
    subject_id: series,
    what: "deployable",
    from_state: before,
    to_state: after,
    why: [
      found,
      why,
      blocked_by === null ? null : `landing ${blocked_by} blocks what is newer`,
    ]
      .filter((part) => part !== null)
      .join("; "),
  });
}
