import { join } from "node:path";

import type { Base } from "../session/layer.ts";
import { limitsOf, verdictOf, type Limits, type Verdict } from "./verdict.ts";
import {
  stageClock,
  startHeartbeat,
  startLog,
  type LiveLog,
} from "./live-log.ts";
import type { ProducedFile, RunContext, WorkResult } from "./run-context.ts";

/** A piece of work of a backend, in the words that its progress and its log use. */
interface Task {
  /** What is worked on: `hello 2.10-3`. */
  readonly subject: string;
  /** The last progress message when it passed: `hello 2.10-3 is built`. */
  readonly done: string;
  /** The log's file name, its first line, and the facts below that line. */
  readonly log: {
    readonly name: string;
    readonly title: string;
    readonly facts: Readonly<Record<string, string>>;
  };
  readonly timeoutMs: number;
}

/** What the stages of a piece of work share. */
export interface TaskRun {
  readonly work: RunContext;
  readonly log: LiveLog;
  readonly limits: Limits;
  readonly clock: ReturnType<typeof stageClock>;
  readonly say: ReturnType<typeof startHeartbeat>["say"];
  /** Records the base that the work starts from, for the result. */
  startFrom(base: Base): void;
}

interface TaskResult<T> extends WorkResult {
  /** What the stages returned; null unless they passed. */
  readonly value: T | null;
  readonly log: ProducedFile;
  /** Digest of the base that the work started from; null when it did not come that far. */
  readonly base: string | null;
}

/**
 * Runs a backend's work: reports progress with a heartbeat, writes the log, measures the stages,
 * enforces the limits, and turns what the stages throw into a verdict.
 *
 * @param stages throws a {@link Verdict} when the work does not pass
 * @throws bugs, and what a person has to fix first (UbuntuCiError 78)
 */
export async function runTask<T>(
  work: RunContext,
  task: Task,
  stages: (run: TaskRun) => Promise<T>,
): Promise<TaskResult<T>> {
  const clock = stageClock();
  const alive = startHeartbeat(work);
  try {
    alive.say({ state: "WAITING", message: task.subject });
    const { name, title, facts } = task.log;
    const log = await startLog(join(work.scratch, name), title, facts);
    const shown = work.follow?.(log.path);
    const limits = limitsOf(work.signal, task.timeoutMs);
    let value: T | null = null;
    let base: string | null = null;
    let verdict: Verdict | undefined;
    try {
      value = await stages({
        work,
        log,
        limits,
        clock,
        say: (update) => alive.say(update),
        startFrom: ({ digest }) => (base = digest),
      });
    } catch (thrown) {
      verdict = verdictOf(thrown, limits);
    }
    const outcome = verdict?.outcome ?? "passed";
    const reason = verdict?.message ?? null;
    await log.write(trailer(outcome, reason, clock.stages));
    await shown?.();
    alive.say({
      state: outcome === "passed" ? "COMPLETED" : "FAILED",
      message: reason ?? task.done,
    });
    return {
      outcome,
      reason,
      value,
      base,
      log: { name, path: log.path },
      stages: clock.stages,
    };
  } finally {
    alive.stop();
  }
}

function trailer(
  outcome: WorkResult["outcome"],
  reason: string | null,
  stages: Readonly<Record<string, number>>,
): string {
  const times = Object.entries(stages).map(
    ([stage, ms]) => `${stage} ${(ms / 1000).toFixed(1)} s`,
  );
  return `\n${outcome}${reason === null ? "" : `: ${reason}`}\nstages: ${times.join(", ")}\nfinished: ${new Date().toISOString()}\n`;
}
