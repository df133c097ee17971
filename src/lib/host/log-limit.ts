import type { Readable, Writable } from "node:stream";

/** Where a log ends. */
export interface LogLimit {
  readonly bytes: number;
  /** Called once, when as much was printed. */
  readonly reached: () => void;
}

/**
 * Pipes streams into a log, which is left open. At the limit the log gets a line that says so; what comes
 * after that is read and dropped.
 */
export function pipeIntoLog(
  streams: readonly Readable[],
  log: Writable,
  limit?: LogLimit,
): void {
  let left = limit?.bytes ?? Infinity;
  for (const stream of streams)
    stream.on("data", (chunk: Buffer) => {
      if (left <= 0) return;
      const isLast = chunk.length >= left;
      const isTaken = log.write(isLast ? chunk.subarray(0, left) : chunk);
      left -= chunk.length;
      if (isLast) {
        log.write(`\n[the log ends here: it has ${limit?.bytes ?? 0} bytes]\n`);
        limit?.reached();
      } else if (!isTaken) {
        for (const one of streams) one.pause();
        log.once("drain", () => {
          for (const one of streams) one.resume();
        });
      }
    });
}
