import type { Step } from "./step.ts";

/**
 * One line of the log: a decision or a change of state, with the state that the source packages were
 * in, so that the log alone tells what was decided on what.
 */
export interface LogRecord {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Number of the event; null for what is no event, because nothing might be written to the state. */
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
  /** Where each source package of the ticket is with this transition made. */
  readonly sources?: readonly {
    readonly source: string;
    readonly version: string;
    readonly step: Step;
    readonly status: string;
  }[];
}
