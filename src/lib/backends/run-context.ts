import type { Outcome, Progress } from "../domain/ticket.ts";

/** What every backend is told of the run it works for. */
export interface RunContext {
  /** Folder of this run alone, on the state's disk; removed by the engine afterwards. */
  readonly scratch: string;
  /** Ends the work: cancelled, time limit, or the program was asked to stop. */
  readonly signal: AbortSignal;
  /** Tells where the work is; the engine stores it and keeps the lease alive. */
  progress(update: Omit<Progress, "at">): void;
  /** One line for verbosity 2; the tools' own output goes to log files. */
  note(line: string): void;
  /** Verbosity 3 shows a log file as it grows, until what this returns is called: then all is written. */
  readonly follow?: (logFile: string) => () => Promise<void>;
}

/** A file a backend made, in scratch; the engine moves it into the data store. */
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
