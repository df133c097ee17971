import type { LocalStore, Store } from "../backends/store/store.ts";
import type { ExitCode } from "../domain/error.ts";
import type { WorkStepCode } from "../domain/step.ts";
import type { Outcome, Progress, Ticket } from "../domain/ticket.ts";
import type { Config } from "../config/config.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Connection } from "../state/database.ts";
import type { StepBackends, StepPlan } from "../steps/step-definition.ts";

/** What the engine works with. */
export interface Engine {
  readonly db: Connection;
  readonly paths: StatePaths;
  readonly config: Config;
  /** Who acts, for the history: `user@host`. */
  readonly actor: string;
  readonly store: Store;
  readonly backends: StepBackends;
}

/** An engine whose data store is a local folder, as upkeep needs it. */
export interface LocalEngine extends Engine {
  readonly store: LocalStore;
}

/** Callbacks that observe a run. */
export interface RunListener {
  started?(ticket: Ticket, command: string): void;
  /** The plan that the run is about to execute, as `--dry-run` prints it. */
  planned?(plan: StepPlan): void;
  progress?(ticket: number, progress: Progress): void;
  note?(ticket: number, line: string): void;
  /** A log file has begun; the returned function is called when it is complete. */
  readonly follow?: (ticket: number, logFile: string) => () => Promise<void>;
  ended?(report: StepReport): void;
}

/** How one run of one step ended, as recorded. */
export interface StepReport {
  readonly ticket: number;
  readonly step: WorkStepCode;
  /** `set-aside`: a person has to act before the ticket goes on. */
  readonly outcome: Outcome | "pending" | "set-aside";
  readonly reason: string | null;
  /** The ticket waits for something, such as a pending job; no retry was used up. */
  readonly waiting: boolean;
  /** Somebody cancelled the ticket during the run; it has ended. */
  readonly cancelled: boolean;
  /** 75: try later; 78: something has to be installed or configured. */
  readonly exitCode: ExitCode;
}
