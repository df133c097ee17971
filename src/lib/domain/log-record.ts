import type { Step } from "./step.ts";

/**
 * One line of the log: a decision or a change of state, with the state of the ticket's source packages at
 * that time, so that the log by itself explains the decision.
 */
export interface LogRecord {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Number of the event; null for a line logged while the state is read-only (maintenance). */
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
  /** The state of each source package of the ticket after this transition. */
  readonly sources?: readonly {
    readonly source: string;
    readonly version: string;
    readonly step: Step;
    readonly status: string;
  }[];
}
