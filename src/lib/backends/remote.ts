import type { RunContext } from "./run-context.ts";

/** The identifier that a remote engine gives to a piece of work. */
export type JobId = string;

/** The state of a job that has not ended. */
export interface Pending {
  readonly outcome: "pending";
  /** When to look again, ISO 8601. */
  readonly lookAgainAt: string;
}

/** A remote engine (Launchpad, Debusine) that works for hours, while no process of ours waits for it. */
export interface Remote<Input, Result> {
  /** Its name for people: "Launchpad". Recorded with each job, so that only this engine is asked about it. */
  readonly name: string;
  /**
   * Submits work.
   *
   * @param key chosen by us and unique to this work: submitted twice with it, the work is done once
   */
  submit(key: string, input: Input): Promise<JobId>;
  /** The job that was submitted with that key, or null. */
  find(key: string): Promise<JobId | null>;
  /** Asks for a job's state; when it has ended, fetches its results into the run's scratch folder. */
  look(
    job: JobId,
    work: RunContext,
  ): Promise<Pending | { readonly outcome: "ended"; readonly result: Result }>;
  /** Cancels a job; does nothing when it has ended or is unknown. */
  cancel(job: JobId): Promise<void>;
}
