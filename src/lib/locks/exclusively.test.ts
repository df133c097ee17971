import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { exclusively, lockFile } from "./exclusively.ts";

let folder: string;
let file: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exclusively-"));
  file = lockFile({ locks: join(folder, "locks") }, "archive");
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

const nothing = () => Promise.resolve();

/** Another process, which holds the lock from when it prints `mine` until its input ends. */
async function holder(...wrapped: readonly string[]): Promise<ChildProcess> {
  const child = another(wrapped);
  await once(child.stdout, "data");
  return child;
}

function another(wrapped: readonly string[], waitMs = 20_000) {
  // The same SQLite calls as `exclusively`, in plain JavaScript for a process that cannot run TypeScript.
  const script = `
    import Database from "better-sqlite3";
    const lock = new Database(${JSON.stringify(file)}, { timeout: ${waitMs} });
    lock.exec("BEGIN EXCLUSIVE");
    process.stdout.write("mine\\n");
    process.stdin.resume().on("end", () => lock.close());`;
  const [command = "", ...args] = [
    ...wrapped,
    ...[process.execPath, "--input-type=module", "--eval", script],
  ];
  mkdirSync(dirname(file), { recursive: true });
  const child = spawn(command, args, {
    cwd: import.meta.dirname,
    stdio: ["pipe", "pipe", "pipe"],
  });
  children.push(child);
  return child;
}

/** Waits for a process to end and returns its standard error. */
async function ended(child: ReturnType<typeof another>): Promise<string> {
  let said = "";
  child.stderr.on("data", (text) => (said += String(text)));
  await once(child, "close");
  return said;
}

/** Whether another process or task holds the lock at the moment. */
async function isTaken(): Promise<boolean> {
  const signal = AbortSignal.timeout(100);
  return exclusively(file, () => Promise.resolve(false), signal).catch(
    () => true,
  );
}

test("one after the other within a process, whoever asks at once", async () => {
  let inside = 0;
  let most = 0;
  let done = 0;
  const work = async () => {
    most = Math.max(most, (inside += 1));
    await new Promise((tick) => setImmediate(tick));
    inside -= 1;
    done += 1;
  };
  await Promise.all(Array.from({ length: 20 }, () => exclusively(file, work)));
  expect([most, done]).toEqual([1, 20]);
});

test("gives back what the work returns, and the turn also when it fails", async () => {
  expect(await exclusively(file, () => Promise.resolve(7))).toBe(7);
  const fails = () => Promise.reject(new Error("broken"));
  await expect(exclusively(file, fails)).rejects.toThrow("broken");
  expect(await isTaken()).toBe(false);
});

test("waits for another process, and has its turn when that one has ended", async () => {
  const other = await holder();
  expect(await isTaken()).toBe(true);
  const mine = exclusively(file, () => Promise.resolve("mine"));
  other.stdin?.end();
  expect(await mine).toBe("mine");
});

test("has its turn when the process that held it was killed; nothing is left", async () => {
  const other = await holder();
  other.kill("SIGKILL");
  await once(other, "exit");
  await exclusively(file, nothing);
  expect(readdirSync(join(folder, "locks"))).toEqual(["archive"]);
  expect(statSync(file).size).toBe(0);
});

test("a signal ends the waiting, with its own reason, and others go on", async () => {
  const other = await holder();
  const stop = new AbortController();
  const mine = exclusively(file, nothing, stop.signal);
  // Runs only if waiting for the lock does not block the event loop.
  setImmediate(() => stop.abort(new Error("enough")));
  await expect(mine).rejects.toThrow("enough");
  await expect(exclusively(file, nothing, stop.signal)).rejects.toThrow(
    "enough",
  );
  other.stdin?.end();
  await exclusively(file, nothing);
});

const inNamespaces = ["unshare", "--user", "--map-root-user", "--net"];
const canUnshare = spawnSync("unshare", [...inNamespaces.slice(1), "true"]);

test.skipIf(canUnshare.status !== 0)(
  "holds against a process in other namespaces of network, mounts and processes",
  async () => {
    const more = ["--mount", "--pid", "--ipc", "--uts", "--fork"];
    const other = await holder(...inNamespaces, ...more, "--kill-child");
    expect(await isTaken()).toBe(true);
    other.stdin?.end();
    await exclusively(file, nothing);
    // And vice versa.
    await exclusively(file, () => {
      const attempt = another(inNamespaces, 0);
      return expect(ended(attempt)).resolves.toContain("SQLITE_BUSY");
    });
  },
);

test("a lock of the same name in another state is another lock", async () => {
  await holder();
  const elsewhere = lockFile(
    { locks: join(folder, "elsewhere/locks") },
    "archive",
  );
  expect(await exclusively(elsewhere, () => Promise.resolve(1))).toBe(1);
});

test("a file that is no lock is an error that names it", async () => {
  mkdirSync(join(folder, "locks"));
  writeFileSync(file, "something else, longer than a header ".repeat(40));
  await expect(exclusively(file, nothing)).rejects.toMatchObject({
    exitCode: 75,
    message: expect.stringContaining(file) as string,
  });
});

test("a turn that nobody contends for costs no more than a few milliseconds", async () => {
  await exclusively(file, nothing);
  const times: number[] = [];
  for (let turn = 0; turn < 21; turn += 1) {
    const begun = performance.now();
    await exclusively(file, nothing);
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);
  expect(times[10]).toBeLessThan(5);
});
