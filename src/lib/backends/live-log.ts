import { appendFile, open } from "node:fs/promises";

import type { Progress } from "../domain/ticket.ts";
import type { RunContext } from "./run-context.ts";

const heartbeatMs = 30_000;

/** Appends to a log file as things happen, so that it can be followed. */
export interface LiveLog {
  readonly path: string;
  write(text: string): Promise<void>;
  /** Its last part, for finding the line that explains a failure. */
  tail(): Promise<string>;
}

/** A live log that begins with who, what and when. */
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

/** The last 256 KiB of a file. */
async function tailOf(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const length = Math.min(size, 256 * 1024);
    const buffer = Buffer.alloc(length);
    await file.read(buffer, 0, length, size - length);
    return buffer.toString("utf8");
  } finally {
    await file.close();
  }
}

/**
 * Tells the progress now and again every 30 s until stopped: whoever waits is promised a word every
 * 60 s, to know that the work is alive.
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

/** Milliseconds of each stage by name, in the order they were run; a stage run twice adds up. */
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
