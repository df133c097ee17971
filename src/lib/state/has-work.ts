import type { WorkStepCode } from "../domain/step.ts";
import { queueStep } from "../domain/step.ts";
import type { Connection } from "./database.ts";
import { unwantedJobs } from "./open-jobs.ts";
import { nextToGoOn, nextToStart } from "./queue.ts";

/**
 * Whether a pass at these steps may find work: a ready ticket, a job to poll or to cancel, an open lease.
 * Most passes find none, so this module imports little.
 */
export function hasWork(
  db: Connection,
  steps: readonly WorkStepCode[],
  concurrency: number,
): boolean {
  return (
    (steps.includes(queueStep) && nextToStart(db, concurrency) !== undefined) ||
    nextToGoOn(db, new Set(), steps) !== undefined ||
    db
      .prepare<[string]>(
        "SELECT 1 FROM run WHERE finished_at IS NULL AND step IN (SELECT value FROM json_each(?))",
      )
      .get(JSON.stringify(steps)) !== undefined ||
    unwantedJobs(db, steps).length > 0
  );
}
