import type { LocalStore, Store } from "../backends/store/store.ts";
import type { ExitCode } from "../domain/error.ts";
import type { WorkStepCode } from "../domain/step.ts";
import type { Outcome, Progress, Ticket } from "../domain/ticket.ts";
import type { Config } from "../config/config.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Connection } from "../state/database.ts";
import type { StepBackends, StepPlan } from "../steps/step-definition.ts";

/** What the engine works with: the state, where things are, and what does the heavy work. */
export interface Engine {
  readonly db: Connection;
  readonly paths: StatePaths;
  readonly config: Config;
  /** Who acts, for the history: `user@host`. */
  readonly actor: string;
  readonly store: Store;
  readonly backends: StepBackends;
}

/** An engine whose data store is a folder of this machine: what looks after that folder needs it. */
export interface LocalEngine extends Engine {
  readonly store: LocalStore;
}

/** What a caller sees of a run while it goes on. */
export interface RunListener {
  started?(ticket: Ticket, command: string): void;
  /** What the run is about to execute: just what `--dry-run` would have printed. */
  planned?(plan: StepPlan): void;
  progress?(ticket: number, progress: Progress): void;
  note?(ticket: number, line: string): void;
  /** A log file has begun; what this returns is called when it is whole. */
  readonly follow?: (ticket: number, logFile: string) => () => Promise<void>;
  ended?(report: StepReport): void;
}

/** How one run of one step ended, as recorded. */
export interface StepReport {
  readonly ticket: number;
  readonly step: WorkStepCode;
  readonly outcome: Outcome | "pending";
  readonly reason: string | null;
  /** The ticket now waits for something, as a pending one for its job; no attempt was used up. */
  readonly waiting: boolean;
  /** Somebody cancelled the ticket meanwhile; it has ended. */
  readonly cancelled: boolean;
  /** Exit code that tells the caller apart what to do: 75 try later, 78 something has to be installed. */
  readonly exitCode: ExitCode;
}
