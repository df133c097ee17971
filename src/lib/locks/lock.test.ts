import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { LockHolder } from "./lock-holder.ts";
import { heldLocks, withLock } from "./lock.ts";
import { thisProcess } from "../files/process-identity.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "locks-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const never = () => expect.unreachable("nothing was taken over");
const holder = (change: Partial<LockHolder>): LockHolder => ({
  ...thisProcess(),
  name: "land",
  since: "2026-01-01T00:00:00.000Z",
  command: "ubuntu-ci land",
  ...change,
});
const leave = (change: Partial<LockHolder>) =>
  writeFileSync(join(folder, "land.pid"), JSON.stringify(holder(change)));

test("is held while the work is done, says by whom, and leaves nothing", async () => {
  await withLock(folder, "land", never, () => {
    expect(heldLocks(folder)).toEqual([
      expect.objectContaining({ name: "land", pid: process.pid, dead: false }),
    ]);
    return Promise.resolve();
  });
  expect(readdirSync(folder)).toEqual([]);
});

test("a second copy is refused with 75 and told who holds it", async () => {
  await withLock(folder, "land", never, async () => {
    await expect(
      withLock(folder, "land", never, () => Promise.resolve()),
    ).rejects.toMatchObject({
      exitCode: 75,
      message: expect.stringContaining(`process ${process.pid}`) as string,
    });
  });
});

test("a patient copy waits for its turn", async () => {
  const order: string[] = [];
  const patient = { patient: true };
  let second: Promise<void> | undefined;
  await withLock(
    folder,
    "land",
    never,
    async () => {
      order.push("one begins");
      second = withLock(
        folder,
        "land",
        never,
        () => Promise.resolve(void order.push("two")),
        patient,
      );
      await expect(
        withLock(folder, "land", never, () => Promise.resolve()),
      ).rejects.toMatchObject({ exitCode: 75 });
      order.push("one ends");
    },
    patient,
  );
  await second;
  expect(order).toEqual(["one begins", "one ends", "two"]);
});

test.each([
  ["whose process has ended", { pid: spawnSync("true").pid }],
  ["whose pid was reused", { process_start: "1" }],
  ["of before a reboot", { boot_id: "another" }],
])("a lock %s is taken over at once, by one alone", async (_name, change) => {
  leave(change);
  const taken: (LockHolder | null)[] = [];
  const refused: unknown[] = [];
  let othersAreRefused: () => void;
  const others = new Promise<void>((done) => (othersAreRefused = done));
  const work = () =>
    withLock(
      folder,
      "land",
      (dead) => taken.push(dead),
      () => others,
    ).catch((thrown: unknown) => {
      if (refused.push(thrown) === 2) othersAreRefused();
    });
  await Promise.all([work(), work(), work()]);
  expect(refused).toEqual([
    expect.objectContaining({ exitCode: 75 }),
    expect.objectContaining({ exitCode: 75 }),
  ]);
  expect(taken).toEqual([holder(change)]);
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  ["a moment ago", 0],
  ["before the clock was set back", 3600],
])(
  "a process killed while it took over, %s, is in the way for seconds only",
  async (_name, ahead) => {
    leave({ process_start: "1" });
    const folderOfTakeOver = join(folder, "land.pid.lock");
    mkdirSync(folderOfTakeOver);
    const made = Date.now() / 1000 + ahead;
    utimesSync(folderOfTakeOver, made, made);
    // Each reading of the clock advances it by a second.
    const begun = Date.now();
    let seconds = 0;
    const clock = vi
      .spyOn(Date, "now")
      .mockImplementation(() => begun + 1000 * (seconds += 1));
    const taken: (LockHolder | null)[] = [];
    await withLock(
      folder,
      "land",
      (dead) => {
        expect(seconds).toBeGreaterThanOrEqual(5);
        taken.push(dead);
      },
      () => Promise.resolve(),
    ).finally(() => clock.mockRestore());
    expect(seconds).toBeLessThan(20);
    expect(taken).toEqual([holder({ process_start: "1" })]);
    expect(readdirSync(folder)).toEqual([]);
  },
);

test("nobody waits for a take-over when the lock is free, or held", async () => {
  mkdirSync(join(folder, "land.pid.lock"));
  const begun = performance.now();
  await withLock(folder, "land", never, async () => {
    await expect(
      withLock(folder, "land", never, () => Promise.resolve()),
    ).rejects.toMatchObject({ exitCode: 75 });
  });
  expect(performance.now() - begun).toBeLessThan(1_000);
});

test("a lock of another machine is kept while it is renewed", async () => {
  leave({ host: "elsewhere" });
  await expect(
    withLock(folder, "land", never, () => Promise.resolve()),
  ).rejects.toMatchObject({ exitCode: 75 });
  expect(heldLocks(folder)).toEqual([
    expect.objectContaining({ host: "elsewhere", dead: false }),
  ]);
});

test("a file that does not say whose it is, is nobody's lock", async () => {
  for (const text of ["", '{"host":"x","pi', "1234\n"]) {
    writeFileSync(join(folder, "land.pid"), text);
    expect(heldLocks(folder)).toEqual([]);
    const taken: (LockHolder | null)[] = [];
    const note = (dead: LockHolder | null) => taken.push(dead);
    await withLock(folder, "land", note, () => Promise.resolve());
    expect(taken).toEqual([null]);
    expect(readdirSync(folder)).toEqual([]);
  }
});

test("what a killed process left while taking the lock goes", async () => {
  writeFileSync(
    join(folder, ".land.pid.1"),
    JSON.stringify(holder({ process_start: "1" })),
  );
  writeFileSync(join(folder, ".land.pid.2"), "");
  await withLock(folder, "land", never, () => Promise.resolve());
  expect(readdirSync(folder)).toEqual([]);
});
