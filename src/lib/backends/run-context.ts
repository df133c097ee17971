import type { Outcome, Progress } from "../domain/ticket.ts";

/** What a backend gets from the run that it works for. */
export interface RunContext {
  /** A folder for this run only, on the state's disk; the engine removes it afterwards. */
  readonly scratch: string;
  /** Aborts when the run is cancelled, is out of time, or the program was asked to stop. */
  readonly signal: AbortSignal;
  /** Reports progress; the engine stores it and renews the lease. */
  progress(update: Omit<Progress, "at">): void;
  /** Shows a line at verbosity 2. Output of tools goes to log files instead. */
  note(line: string): void;
  /** At verbosity 3, shows a log file as it grows. The function returned shows the rest and stops. */
  readonly follow?: (logFile: string) => () => Promise<void>;
}

/** A file that a backend left in scratch; the engine moves it into the data store. */
export interface ProducedFile {
  readonly name: string;
  readonly path: string;
}

/** How a piece of work of a builder, an imager or a tester ended. */
export interface WorkResult {
  readonly outcome: Outcome;
  /** One line for people: what failed and where, null when it passed. */
  readonly reason: string | null;
  /** Its log, which exists as soon as the work began. */
  readonly log: ProducedFile | null;
  /** Milliseconds by stage: session, build-deps, compile, collect and others. */
  readonly stages: Readonly<Record<string, number>>;
}
