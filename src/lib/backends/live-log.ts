import { appendFile, open } from "node:fs/promises";

import type { Progress } from "../domain/ticket.ts";
import type { RunContext } from "./run-context.ts";

const heartbeatMs = 30_000;

/** A log file that is appended to at once, so that people can follow it. */
export interface LiveLog {
  readonly path: string;
  write(text: string): Promise<void>;
  /** The last MiB, in which to find the line that explains a failure. */
  tail(): Promise<string>;
}

/** Starts a log with a title, facts, and the time. */
export async function startLog(
  path: string,
  title: string,
  facts: Readonly<Record<string, string>>,
): Promise<LiveLog> {
  const write = (text: string) => appendFile(path, text);
  const lines = Object.entries(facts).map(([key, value]) => `${key}: ${value}`);
  await write(
    `${title}\n${lines.join("\n")}\nstarted: ${new Date().toISOString()}\n\n`,
  );
  return { path, write, tail: () => tailOf(path) };
}

async function tailOf(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const length = Math.min(size, 1024 * 1024);
    const buffer = Buffer.alloc(length);
    await file.read(buffer, 0, length, size - length);
    return buffer.toString("utf8");
  } finally {
    await file.close();
  }
}

/**
 * Reports progress, and repeats the last report every 30 s until stopped: the engine
 * expects a sign of life from a run every 60 s.
 */
export function startHeartbeat(work: RunContext): {
  say(update: Partial<Omit<Progress, "at">> & { message: string }): void;
  stop(): void;
} {
  let last: Omit<Progress, "at"> = {
    state: "WAITING",
    message: "",
    current: null,
    total: null,
  };
  const timer = setInterval(() => work.progress(last), heartbeatMs);
  return {
    say(update) {
      last = { ...last, state: "STATUS", ...update };
      work.progress(last);
    },
    stop: () => clearInterval(timer),
  };
}

/** Measures stages: milliseconds by name, in the order of their first run, summed over all runs. */
export function stageClock(): {
  readonly stages: Record<string, number>;
  time<T>(stage: string, run: () => Promise<T>): Promise<T>;
} {
  const stages: Record<string, number> = {};
  return {
    stages,
    async time(stage, run) {
      const started = performance.now();
      try {
        return await run();
      } finally {
        stages[stage] = (stages[stage] ?? 0) + (performance.now() - started);
      }
    },
  };
}
