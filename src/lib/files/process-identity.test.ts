import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { afterAll, afterEach, expect, test } from "vitest";

import { isGone, thisProcess } from "./process-identity.ts";

const folder = mkdtempSync(join(tmpdir(), "identity-"));
const started: ReturnType<typeof spawn>[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The start time of a process: proc(5), a field after the command name in parentheses. */
const startOf = (pid: number) =>
  readFileSync(`/proc/${pid}/stat`, "utf8")
    .split(") ")
    .at(-1)
    ?.split(" ")[19] ?? "";

test("this process is there", () => {
  const me = thisProcess();
  expect(me).toMatchObject({
    pid: process.pid,
    process_start: startOf(process.pid),
  });
  expect(isGone(me)).toBe(false);
});

test("a process whose pid another one has now is gone", () => {
  expect(isGone({ ...thisProcess(), process_start: "1" })).toBe(true);
});

test("a process of before the last boot is gone", () => {
  expect(isGone({ ...thisProcess(), boot_id: "another" })).toBe(true);
});

test("another machine's process can't be told", () => {
  expect(isGone({ ...thisProcess(), host: "elsewhere" })).toBeUndefined();
});

test("a process is found whatever its name, and is gone when it ended", async () => {
  const program = join(folder, "a) R 1 (b");
  copyFileSync("/bin/sleep", program);
  const child = spawn(program, ["60"], { stdio: "ignore" });
  started.push(child);
  await once(child, "spawn");
  const pid = child.pid ?? 0;
  const identity = { ...thisProcess(), pid, process_start: startOf(pid) };
  expect(isGone(identity)).toBe(false);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isGone(identity)).toBe(true);
});

test("a process that ended and that nobody has waited for is gone", async () => {
  const parent = spawn(
    "sh",
    ["-c", "(read line; exit 0) <&3 & echo $!; exec sleep 60"],
    { stdio: ["ignore", "pipe", "ignore", "pipe"] },
  );
  started.push(parent);
  if (parent.stdout === null) throw new Error("no standard output");
  const [line] = (await once(
    createInterface({ input: parent.stdout }),
    "line",
  )) as [string];
  const pid = Number(line);
  const identity = { ...thisProcess(), pid, process_start: startOf(pid) };
  expect(isGone(identity)).toBe(false);
  // Until then it is a shell, which waits for its children.
  await expect
    .poll(() => readFileSync(`/proc/${parent.pid ?? 0}/comm`, "utf8"))
    .toBe("sleep\n");
  (parent.stdio[3] as NodeJS.WritableStream).end();
  await expect.poll(() => isGone(identity)).toBe(true);
  // The zombie still has an entry in /proc.
  expect(readFileSync(`/proc/${pid}/stat`, "utf8")).toContain(") Z ");
});
