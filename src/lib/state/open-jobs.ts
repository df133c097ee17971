import type { WorkStepCode } from "../domain/step.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { prepared } from "./database.ts";

/**
 * A step's work that was handed to somebody else's engine. It is recorded before it is submitted, and
 * until it has ended or was cancelled: whatever is killed in between, the next pass knows what to ask.
 */
export interface OpenJob {
  /** Ours: what it was submitted with, and can be asked for by. */
  readonly key: string;
  readonly ticket: number;
  readonly step: WorkStepCode;
  /** Whose engine it is. */
  readonly remote: string;
  /** Its name there; null when it is not known whether it was submitted. */
  readonly id: string | null;
  /** ISO 8601: when it was first submitted. */
  readonly began_at: string;
  /** ISO 8601: when a pending one is looked at again, or an unwanted one is cancelled; null: now. */
  readonly look_at: string | null;
  /** Temporary failures of the ticket at this step before it: those of looks at it are no more when one succeeds. */
  readonly tmpfails: number;
}

/** The job that a ticket's step waits for, or null. */
export function jobOf(db: Connection, ticket: number): OpenJob | null {
  return (
    prepared<[number], OpenJob>(
      db,
      "SELECT * FROM job WHERE ticket = ? AND unwanted = 0",
    ).get(ticket) ?? null
  );
}

/** The jobs at these steps that nobody waits for any more, and that are to be cancelled now. */
export function unwantedJobs(
  db: Connection,
  steps: readonly WorkStepCode[],
): OpenJob[] {
  return db
    .prepare<[string, string], OpenJob>(
      `SELECT * FROM job WHERE unwanted = 1 AND (look_at IS NULL OR look_at <= ?)
         AND step IN (SELECT value FROM json_each(?)) ORDER BY began_at`,
    )
    .all(now(), JSON.stringify(steps));
}
