import type { WorkStepCode } from "../domain/step.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { prepared } from "./database.ts";

/**
 * A job that was submitted to a remote engine. Its row exists from before the submission until the job
 * has ended or was cancelled, so that a killed process cannot lose track of it.
 */
export interface OpenJob {
  /** The key it was submitted with, by which it can also be found. */
  readonly key: string;
  readonly ticket: number;
  readonly step: WorkStepCode;
  /** Name of the remote engine. */
  readonly remote: string;
  /** Its id at the engine; null when it is unknown whether the submission arrived. */
  readonly id: string | null;
  /** When it was first submitted, ISO 8601. */
  readonly began_at: string;
  /** When to poll it again, or to cancel it if unwanted, ISO 8601; null: now. */
  readonly look_at: string | null;
  /** Temporary failures at this step before the job. A successful poll resets the count to this. */
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

/** The unwanted jobs of these steps that are due to be cancelled. */
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
