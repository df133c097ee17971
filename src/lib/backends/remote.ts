import type { RunContext } from "./run-context.ts";

/** The name that somebody else's engine gives to a piece of work. */
export type JobId = string;

/** A job that is still at work. */
export interface Pending {
  readonly outcome: "pending";
  /** When it is worth while to look again, ISO 8601. */
  readonly lookAgainAt: string;
}

/** Somebody else's engine, which works for hours while nobody here waits for it. */
export interface Remote<Input, Result> {
  /** Whose it is, for people: "Launchpad". A job is only ever asked for where it was submitted. */
  readonly name: string;
  /**
   * Hands work over.
   *
   * @param key ours, never used for other work: asked for twice with it, the work is done once
   */
  submit(key: string, input: Input): Promise<JobId>;
  /** The job that was submitted with that key, or null when there is none. */
  find(key: string): Promise<JobId | null>;
  /** Looks at a job; fetches what one that has ended made into the scratch folder of the run. */
  look(
    job: JobId,
    work: RunContext,
  ): Promise<Pending | { readonly outcome: "ended"; readonly result: Result }>;
  /** Ends a job, whatever it is at; one that has ended or is gone is left as it is. */
  cancel(job: JobId): Promise<void>;
}
