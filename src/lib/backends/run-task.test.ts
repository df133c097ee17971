import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { misconfigured, notNow } from "../domain/error.ts";
import type { Progress } from "../domain/ticket.ts";
import { runTask } from "./run-task.ts";
import { packageFault } from "./verdict.ts";

let scratch: string;
let told: Omit<Progress, "at">[];
let cancel: AbortController;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "carry-"));
  told = [];
  cancel = new AbortController();
});

afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const carry = <T>(
  stages: Parameters<typeof runTask<T>>[2],
  timeoutMs = 60_000,
) =>
  runTask(
    {
      scratch,
      signal: cancel.signal,
      progress: (update) => told.push(update),
      note: () => undefined,
    },
    {
      subject: "hello 1.0",
      done: "hello 1.0 is built",
      log: {
        name: "hello.log",
        title: "Build of hello 1.0",
        facts: { builder: "none" },
      },
      timeoutMs,
    },
    stages,
  );

const log = () => readFileSync(join(scratch, "hello.log"), "utf8");

/** Ends when the work is ended. */
async function untilEnded(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, "abort");
  throw signal.reason as Error;
}

test("what passes has its value, its log and the time of its stages", async () => {
  const ended = await carry(async ({ clock, log: written, say }) => {
    say({ message: "working", current: 1, total: 2 });
    await written.write("a tool's words\n");
    return clock.time("compile", () => Promise.resolve("made"));
  });
  expect(ended).toMatchObject({
    outcome: "passed",
    reason: null,
    value: "made",
    log: { name: "hello.log", path: join(scratch, "hello.log") },
  });
  expect(Object.keys(ended.stages)).toEqual(["compile"]);
  expect(told.map(({ state, message }) => [state, message])).toEqual([
    ["WAITING", "hello 1.0"],
    ["STATUS", "working"],
    ["COMPLETED", "hello 1.0 is built"],
  ]);
  expect(log()).toMatch(
    /^Build of hello 1\.0\nbuilder: none\nstarted: \S+Z\n\na tool's words\n\npassed\nstages: compile \d+\.\d s\nfinished: \S+Z\n$/,
  );
});

test("the package's fault is told apart from ours", async () => {
  expect(
    await carry(() => Promise.reject(packageFault("it does not compile"))),
  ).toMatchObject({
    outcome: "failed",
    reason: "it does not compile",
    value: null,
  });
  expect(log()).toContain("\nfailed: it does not compile\n");
  expect(told.at(-1)).toMatchObject({
    state: "FAILED",
    message: "it does not compile",
  });
  expect(await carry(() => Promise.reject(notNow("no space")))).toMatchObject({
    outcome: "tmpfail",
    reason: "no space",
  });
});

test("the time limit is the package's, cancelling is not", async () => {
  expect(await carry(({ limits }) => untilEnded(limits.any), 20)).toMatchObject(
    {
      outcome: "failed",
      reason: "ran past its time limit of 0 minutes",
    },
  );
  const ending = carry(({ limits }) => untilEnded(limits.any));
  cancel.abort();
  expect(await ending).toMatchObject({
    outcome: "tmpfail",
    reason: "was cancelled",
  });
});

test("a bug, and what a person has to mend, is no verdict", async () => {
  await expect(
    carry(() => Promise.reject(new TypeError("a bug"))),
  ).rejects.toThrow("a bug");
  await expect(
    carry(() => Promise.reject(misconfigured("sbuild is missing"))),
  ).rejects.toMatchObject({ exitCode: 78 });
});
