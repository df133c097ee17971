import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { knobFor, playKnob } from "./fake-knob.ts";
import type { ProducedFile, RunContext, WorkResult } from "./run-context.ts";

/** A piece of work of a fake backend. */
interface FakeTask {
  /** Which backend it is, what it does, and to what: `builder`, `build`, `hello 2.10-3`. */
  readonly backend: "builder" | "imager" | "tester";
  readonly does: "build" | "image" | "test";
  readonly subject: string;
  /** The package whose knob counts. */
  readonly source: string;
  readonly logName: string;
  /** Name of its only stage. */
  readonly stage: string;
  /** How many parts it has, where progress counts them. */
  readonly parts?: number;
}

/** Plays the knob of a fake backend's work, and writes and reports how it ended. */
export async function runFakeTask(
  knobs: string,
  work: RunContext,
  task: FakeTask,
): Promise<WorkResult & { readonly log: ProducedFile }> {
  const { backend, does, subject, source, logName, parts = null } = task;
  const started = performance.now();
  const knob = knobFor(knobs, source);
  const outcome = await playKnob(knob, work).catch((thrown: unknown) => {
    // A real backend's log is there as well when it was told to stop.
    if (work.signal.aborted) return "tmpfail" as const;
    throw thrown;
  });
  const log = { name: logName, path: join(work.scratch, logName) };
  const text = `fake ${does} of ${subject}: ${outcome}\n`;
  const more = knob.kind === "verbose" ? knob.bytes : 0;
  await writeFile(log.path, text.padStart(more, "one line of many\n"));
  const passed = outcome === "passed";
  work.progress({
    state: passed ? "COMPLETED" : "FAILED",
    message: subject,
    current: parts,
    total: parts,
  });
  return {
    outcome,
    reason: passed ? null : `the fake ${backend} was told to: ${outcome}`,
    log,
    stages: { [task.stage]: performance.now() - started },
  };
}
