import { existsSync, watch } from "node:fs";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";

import { misconfigured } from "../domain/error.ts";
import type { Outcome } from "../domain/ticket.ts";
import { exec } from "../host/exec.ts";
import type { RunContext } from "./run-context.ts";

/**
 * What a fake backend does with a package:
 *
 * - `slow` passes after a delay;
 * - `verbose` fails with a log of that many bytes;
 * - `hold` passes as soon as that file does not exist;
 * - `tool` passes after a process of its own has slept, and is a tmpfail when that process is killed;
 * - `kill` ends this program with SIGKILL, at that point of the backend's work, or at once;
 * - `remote` makes the builder submit all packages as one job (builder/fake-remote.ts).
 */
type Knob =
  | { readonly kind: "pass" | "fail" | "tmpfail" }
  | { readonly kind: "slow" | "tool"; readonly milliseconds: number }
  | { readonly kind: "verbose"; readonly bytes: number }
  | { readonly kind: "hold"; readonly file: string }
  | { readonly kind: "kill"; readonly at: string | null }
  | {
      readonly kind: "remote";
      /** How many looks find the job still at work, and the seconds between two looks. */
      readonly looks: number;
      readonly seconds: number;
    };

const slowMs = 2000;

/**
 * The knob of a source package in a setting's text, whose entries are `KNOB` (for all packages) or
 * `SOURCE=KNOB`, separated by commas. A knob is pass, fail, tmpfail, slow, slow\@MILLISECONDS,
 * verbose\@BYTES, hold\@FILE, tool, tool\@MILLISECONDS, kill, kill\@POINT, remote\@LOOKS, or remote\@LOOKS\@SECONDS.
 *
 * @throws UbuntuCiError (78) for any other text
 */
export function knobFor(text: string, source: string): Knob {
  let found: Knob = { kind: "pass" };
  let own: Knob | undefined;
  for (const entry of text.split(",").map((part) => part.trim())) {
    const [left, right, more] = entry.split("=");
    if (left === undefined || more !== undefined) throw notAKnob(entry);
    if (right === undefined) found = parseKnob(left);
    else {
      const knob = parseKnob(right);
      if (left === source) own = knob;
    }
  }
  return own ?? found;
}

/**
 * Does what a knob says and returns the outcome. For a `kill` with a point, the backend calls {@link
 * killAt} when it gets there.
 *
 * @throws the signal's reason when it aborts
 */
export async function playKnob(
  knob: Knob,
  work: Pick<RunContext, "signal" | "progress">,
): Promise<Outcome> {
  const say = (message: string) =>
    work.progress({ state: "STATUS", message, current: null, total: null });
  switch (knob.kind) {
    case "pass":
    case "remote":
      return "passed";
    case "fail":
    case "verbose":
      return "failed";
    case "tmpfail":
      return "tmpfail";
    case "slow":
      say("being slow");
      await pause(knob.milliseconds, work.signal);
      return "passed";
    case "hold":
      say("being held");
      await untilGone(knob.file, work.signal);
      return "passed";
    case "tool": {
      const seconds = String(knob.milliseconds / 1000);
      const { exitCode } = await exec(
        ["setpriv", "--pdeathsig", "KILL", "--", "sleep", seconds],
        { signal: work.signal },
      );
      work.signal.throwIfAborted();
      return exitCode === 0 ? "passed" : "tmpfail";
    }
    case "kill":
      if (knob.at === null) return killSelf();
      return "passed";
  }
}

/** Ends this program with SIGKILL if the knob names that point. */
export async function killAt(knob: Knob, point: string): Promise<void> {
  if (knob.kind === "kill" && knob.at === point) await killSelf();
}

function parseKnob(text: string): Knob {
  const [kind, argument, more, ...rest] = text.split("@");
  if (rest.length > 0 || (more !== undefined && kind !== "remote"))
    throw notAKnob(text);
  switch (kind) {
    case "pass":
    case "fail":
    case "tmpfail":
      if (argument !== undefined) break;
      return { kind };
    case "slow":
    case "tool":
      if (!/^[0-9]+$/.test(argument ?? "0")) break;
      return { kind, milliseconds: Number(argument ?? slowMs) };
    case "verbose":
      if (!/^[0-9]+$/.test(argument ?? "")) break;
      return { kind, bytes: Number(argument) };
    case "hold":
      if (argument?.startsWith("/") !== true) break;
      return { kind, file: argument };
    case "kill":
      if (argument === "") break;
      return { kind, at: argument ?? null };
    case "remote": {
      const [looks, seconds] = [argument ?? "1", more ?? "0"];
      if (!/^[0-9]+@[0-9]+$/.test(`${looks}@${seconds}`)) break;
      return { kind, looks: Number(looks), seconds: Number(seconds) };
    }
    case undefined:
    default:
  }
  throw notAKnob(text);
}

function notAKnob(text: string) {
  return misconfigured(
    `${JSON.stringify(text)} is not a knob of a fake backend`,
    "use pass, fail, tmpfail, slow, verbose, hold, tool, kill or remote, or SOURCE=KNOB, separated by commas",
  );
}

async function killSelf(): Promise<never> {
  process.kill(process.pid, "SIGKILL");
  // The signal is delivered soon; until then no more of our code may run.
  return new Promise<never>(() => undefined);
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
}

async function untilGone(file: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((done, fail) => {
    const look = () => {
      if (existsSync(file)) return;
      watcher.close();
      done();
    };
    const watcher = watch(dirname(file), { signal }, look);
    signal.addEventListener("abort", () => fail(signal.reason as Error), {
      once: true,
    });
    look();
  });
}
