import { join } from "node:path";

import type { Outcome } from "../domain/ticket.ts";
import { limitsOf, verdictOf, type Limits, type Verdict } from "./verdict.ts";
import {
  stageClock,
  startHeartbeat,
  startLog,
  type LiveLog,
} from "./live-log.ts";
import type { ProducedFile, RunContext } from "./run-context.ts";

/** A piece of work of a backend, as people are told of it. */
export interface Task {
  /** What is worked on: `hello 2.10-3`. */
  readonly subject: string;
  /** What is told at the end when it passed: `hello 2.10-3 is built`. */
  readonly done: string;
  /** File name of the log, its first line, and facts under that. */
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
}

/** How a piece of work ended; its value is null unless it passed. */
export interface TaskResult<T> {
  readonly outcome: Outcome;
  /** One line for people: what failed and where, null when it passed. */
  readonly reason: string | null;
  readonly value: T | null;
  readonly log: ProducedFile;
  readonly stages: Readonly<Record<string, number>>;
}

/**
 * Carries out a backend's work: tells its progress and that it is alive, keeps its log and the time
 * of its stages, ends it at its limits, and turns what is thrown into a verdict.
 *
 * @param stages throws a {@link Verdict} when the work does not pass
 * @throws what is a bug, or what a person has to mend first (78)
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
    let verdict: Verdict | undefined;
    try {
      value = await stages({
        work,
        log,
        limits,
        clock,
        say: (update) => alive.say(update),
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
      log: { name, path: log.path },
      stages: clock.stages,
    };
  } finally {
    alive.stop();
  }
}

function trailer(
  outcome: Outcome,
  reason: string | null,
  stages: Readonly<Record<string, number>>,
): string {
  const times = Object.entries(stages).map(
    ([stage, ms]) => `${stage} ${(ms / 1000).toFixed(1)} s`,
  );
  return `\n${outcome}${reason === null ? "" : `: ${reason}`}\nstages: ${times.join(", ")}\nfinished: ${new Date().toISOString()}\n`;
}
