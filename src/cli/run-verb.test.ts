import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { adviceText } from "../lib/host/command-line.ts";

import { refused } from "../lib/domain/error.ts";
import type { Plan } from "../lib/domain/plan.ts";
import { statePaths } from "../lib/host/paths.ts";
import type { Verb } from "./command.ts";
import type { CommandContext, GlobalOptions } from "./context.ts";
import { runVerb, stopsInMaintenance } from "./run-verb.ts";

let root: string;
let printed: [string, unknown][];
let exitCode: number;
let stop: AbortController;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "run-verb-"));
  printed = [];
  exitCode = 0;
  stop = new AbortController();
});
afterEach(() => rmSync(root, { recursive: true }));

const locked = () => existsSync(join(root, "run/paint.pid"));

function run(
  verb: Verb,
  given: object = {},
  options: Partial<GlobalOptions> = {},
): Promise<void> {
  const context = {
    options: { verbosity: 1, ...options },
    paths: statePaths(root),
    actor: "dev@example",
    signal: stop.signal,
    result: (text: string, value: unknown) => void printed.push([text, value]),
    exit: (code: number) => (exitCode = code),
    say: () => undefined,
    text: adviceText,
  } as Partial<CommandContext> as CommandContext;
  return runVerb("tried", verb, given, () => Promise.resolve(context));
}

/** What was done, and whether under its lock. */
let done: { plan: object; locked: boolean }[];
beforeEach(() => (done = []));

const paintIt = (colour: string) => ({
  command: "paint",
  actions: [`paint it ${colour}`],
});

const paint: Verb<{ colour?: string }, Plan> = {
  changes: true,
  locks: [{ name: "paint" }],
  onlyReads: ({ colour }) => colour === undefined,
  plan: (_context, { colour = "" }) => paintIt(colour),
  async run(_context, { colour }, plan) {
    if (colour === undefined) return { text: "white", value: null };
    done.push({ plan: await plan(), locked: locked() });
    return { text: "painted", value: { locked: locked() }, exitCode: 1 };
  },
};

test("a run executes under its lock the plan that --dry-run shows, which changes nothing", async () => {
  await run(paint, { colour: "red" }, { dryRun: true });
  expect([printed, done, existsSync(join(root, "run"))]).toEqual([
    [["paint it red", { plan: paintIt("red") }]],
    [],
    false,
  ]);
  await run(paint, { colour: "red" });
  expect(done).toEqual([{ plan: paintIt("red"), locked: true }]);
  expect(printed.at(-1)).toEqual(["painted", { locked: true }]);
  expect([exitCode, locked()]).toEqual([1, false]);
});

test("what only reads takes no lock, also with --dry-run", async () => {
  await run(paint, {}, { dryRun: true });
  await run(paint);
  expect(printed).toEqual([
    ["white", null],
    ["white", null],
  ]);
  expect(existsSync(join(root, "run"))).toBe(false);
});

test("maintenance stops what changes something, unless it says that it runs in maintenance", async () => {
  writeFileSync(join(root, "maintenance.txt"), "new disk");
  await expect(run(paint, { colour: "red" })).rejects.toMatchObject({
    exitCode: 75,
  });
  expect(done).toEqual([]);
  await run({ ...paint, inMaintenance: true }, { colour: "red" });
  expect(done).toHaveLength(1);
  expect(stopsInMaintenance(paint, { colour: "red" })).toBe(true);
  expect(stopsInMaintenance(paint, {})).toBe(false);
  expect(
    stopsInMaintenance(
      { ...paint, inMaintenance: true },
      {
        colour: "red",
      },
    ),
  ).toBe(false);
});

test("a lock of this machine does not hold up a ticket system elsewhere", async () => {
  await run(paint, { colour: "red" }, { url: "https://ci.example.org" });
  expect(done).toEqual([{ plan: paintIt("red"), locked: false }]);
});

test("where a look shows that there is nothing to do, no lock is taken", async () => {
  const idle: Verb = {
    ...(paint as Verb & { changes: true }),
    nothingToDo: () => Promise.resolve({ text: "idle", value: null }),
  };
  await run(idle, { colour: "red" });
  expect([printed, done, existsSync(join(root, "run"))]).toEqual([
    [["idle", null]],
    [],
    false,
  ]);
});

test("what is left to do once the locks are given back is done without them", async () => {
  await run(
    {
      ...(paint as Verb & { changes: true }),
      run: () =>
        Promise.resolve(() => Promise.resolve({ value: { locked: locked() } })),
    },
    { colour: "red" },
  );
  expect(printed).toEqual([["", { locked: false }]]);
});

test("options that don't go together are refused before the context is made", async () => {
  const verb: Verb = {
    changes: false,
    check: () => {
      throw refused("no");
    },
    run: () => undefined,
  };
  await expect(
    runVerb("tried", verb, {}, () =>
      expect.unreachable("no context is needed"),
    ),
  ).rejects.toMatchObject({ exitCode: 2, message: "no" });
});

test("what went wrong with the context is thrown", async () => {
  await expect(
    runVerb("tried", { changes: false, run: () => undefined }, {}, () =>
      Promise.reject(refused("no state")),
    ),
  ).rejects.toThrow("no state");
});

test("work that does not look at a signal is given up a moment after it, and its lock given back", async () => {
  const endless: Verb = {
    changes: true,
    locks: [{ name: "paint" }],
    whenInterrupted: "what is painted stays so",
    plan: () => paintIt("red"),
    run: () => new Promise(() => undefined),
  };
  setTimeout(() => stop.abort(), 50);
  await expect(run(endless)).rejects.toMatchObject({
    message: "interrupted",
    hint: "what is painted stays so",
    exitCode: 75,
  });
  expect(locked()).toBe(false);
});
