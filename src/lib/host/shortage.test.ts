import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { memoryKills, watchMachine } from "./shortage.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "machine-"));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

test("the kernel's count of the control group is taken, else the machine's", async () => {
  expect(await memoryKills(root)).toBe(0);
  write("proc/vmstat", "nr_free_pages 5\noom_kill 7\n");
  expect(await memoryKills(root)).toBe(7);
  write("proc/self/cgroup", "4:cpu,memory:/a\n0::/b\n");
  expect(await memoryKills(root)).toBe(7);
  write(
    "sys/fs/cgroup/memory/a/memory.oom_control",
    "under_oom 0\noom_kill 3\n",
  );
  expect(await memoryKills(root)).toBe(3);
  write("sys/fs/cgroup/b/memory.events", "max 9\noom 2\noom_kill 2\n");
  expect(await memoryKills(root)).toBe(2);
});

test("a process that is killed for memory is the machine's shortage, one before is not", async () => {
  write("proc/vmstat", "oom_kill 1\n");
  const machine = await watchMachine(root, root);
  expect(await machine.shortage()).toBeUndefined();
  write("proc/vmstat", "oom_kill 2\n");
  expect(await machine.shortage()).toMatch(/ran out of memory/);
});
