import { messageOf } from "../domain/error.ts";
import { stepCommands } from "../domain/step.ts";
import { crashPoint } from "../files/crash-point.ts";
import { beginJob, forgetJob, nameJob, postponeJob } from "../state/jobs.ts";
import type { Lease } from "../state/leases.ts";
import { unwantedJobs } from "../state/open-jobs.ts";
import type { StepContext } from "../steps/step-definition.ts";
import type { Engine } from "./engine.ts";
import { definitions } from "./step-input.ts";

/** How long to wait before a job that could not be cancelled is tried again. */
const cancelAgainMs = 10 * 60_000;

/** Submits a step's work to a remote engine; recorded before and after, see `OpenJob`. */
export function submitter(
  { db }: Pick<Engine, "db">,
  { ticket, step }: Lease,
): StepContext["submit"] {
  return async (remote, submit) => {
    const key = beginJob(db, ticket, step, remote);
    crashPoint("job.begun");
    const id = await submit(key);
    crashPoint("job.submitted");
    nameJob(db, { key, ticket, step, remote, id });
    return id;
  };
}

/** Cancels the jobs that no ticket waits for; an unreachable one is tried again later. */
export async function cancelUnwantedJobs({
  db,
  actor,
  backends,
}: Engine): Promise<void> {
  for (const job of unwantedJobs(
    db,
    stepCommands.map(({ code }) => code),
  )) {
    const named = `job ${job.id ?? job.key} of ${job.remote}`;
    try {
      const cancelled = await definitions[job.step].cancelJob?.(job, backends);
      crashPoint("job.cancelled");
      forgetJob(
        db,
        job,
        actor,
        cancelled === true
          ? named
          : `${named} was not found, and is left alone`,
      );
    } catch (thrown) {
      const at = new Date(Date.now() + cancelAgainMs).toISOString();
      postponeJob(db, job, at, actor, `${named}: ${messageOf(thrown)}`);
    }
  }
}
