import type { Step } from "./step.ts";

/**
 * One line of the log: a decision or a change of state, with the state of the ticket's source packages
 * at that time, so that the log alone explains the decision.
 */
export interface LogRecord {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Number of the event; null for a line that was written while the state must not be written to. */
  readonly id: number | null;
  readonly actor: string;
  readonly subject: string;
  readonly subject_id: string;
  readonly ticket: number | null;
  readonly step: Step | null;
  readonly run: number | null;
  readonly what: string;
  /** The transition: from which state to which. */
  readonly from: string | null;
  readonly to: string | null;
  readonly why: string | null;
  /** Where each source package of the ticket is after this transition. */
  readonly sources?: readonly {
    readonly source: string;
    readonly version: string;
    readonly step: Step;
    readonly status: string;
  }[];
}
