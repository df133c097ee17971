import { once } from "node:events";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { text } from "node:stream/consumers";

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { isUnfinished } from "../src/lib/files/atomic-file.ts";
import { fakeBackends, Installation, program } from "./support/program.ts";

/** SIGTERM and SIGINT in the middle of commands that maintain the state. */
const config = { ...fakeBackends, ppa: { pool: 1 } };

let template: Installation;
let ci: Installation;

beforeAll(() => {
  template = new Installation(config);
  template.ok("init");
  template.addUploader();
  template.ok(
    "create_ticket",
    "-t",
    "hello",
    "-s",
    template.upload("hello", "1.0", program("hello")),
  );
  template.ok("land");
});
afterAll(() => template.remove());
beforeEach(() => {
  ci = new Installation(config, undefined, template);
  return () => ci.remove();
});

/** Runs a command that sends itself a signal when it reaches a point for the nth time. */
function interruptedAt(
  point: string,
  nth: number,
  signal: string,
  ...args: string[]
) {
  ci.env["UBUNTU_CI_CRASH_AT"] = `${point}:${nth}:${signal}`;
  const began = performance.now();
  const ended = ci.run(...args);
  expect(performance.now() - began).toBeLessThan(10_000);
  delete ci.env["UBUNTU_CI_CRASH_AT"];
  return ended;
}

/** One line that was told at once. */
const told = (stays: string) => ({
  code: 75,
  stdout: "",
  stderr: `ubuntu-ci: interrupted, stopping: ${stays}\n`,
});

/** Files that were being written, anywhere in the state. */
const unfinished = () =>
  readdirSync(ci.state, { recursive: true, encoding: "utf8" })
    .map((path) => basename(path))
    .filter((name) => name.startsWith(".backup.") || isUnfinished(name));

test.each(["SIGTERM", "SIGINT"])(
  "shepherd-report ends between two pages at %s, and the next one does the rest",
  (signal) => {
    expect(
      interruptedAt("report.page-written", 3, signal, "shepherd-report"),
    ).toEqual(
      told("pages that were written stay; the next report does the rest"),
    );
    const index = join(ci.state, "report/index.html");
    expect(existsSync(index)).toBe(false);
    expect(unfinished()).toEqual([]);
    ci.ok("shepherd-report");
    expect(existsSync(index)).toBe(true);
    expect(ci.ok("locks")).toBe("no locks");
  },
);

test("backup leaves nothing of the one that was interrupted", () => {
  expect(interruptedAt("file.written", 1, "SIGTERM", "backup")).toEqual(
    told("no backup was made; earlier ones stay"),
  );
  expect(readdirSync(join(ci.state, "backups"))).toEqual([]);
  expect(unfinished()).toEqual([]);
  ci.ok("backup");
});

test("restore leaves the state as it was while it looks at the backup", () => {
  const backup = ci.ok("backup");
  ci.ok("maintenance", "on", "--reason", "disk");
  const ended = interruptedAt("restore.begun", 1, "SIGTERM", "restore", backup);
  expect(ended.code).toBe(75);
  expect(ended.stderr).toContain(
    "ubuntu-ci: interrupted, stopping: all is as it was, unless the restored state is in its place already",
  );
  expect(ended.stderr).not.toContain("make room");
  expect(ci.ticket("1").status).toBe("done");
  ci.ok("maintenance", "off");
  expect(ci.ok("fsck")).toBe("all is well");
});

test("fsck --mend ends between two findings, and the next one mends the rest", () => {
  for (const name of ["one", "two", "three"])
    writeFileSync(join(ci.state, "store/ticket.1", name), name);
  expect(interruptedAt("fsck.mended", 1, "SIGTERM", "fsck", "--mend")).toEqual(
    told("what was mended stays so; the next fsck looks at everything"),
  );
  const { findings } = JSON.parse(ci.run("fsck", "--json").stdout) as {
    findings: unknown[];
  };
  expect(findings).toHaveLength(2);
  ci.ok("fsck", "--mend");
  expect(ci.ok("fsck")).toBe("all is well");
});

test("expire ends between two files that it removes, and the next one removes the rest", () => {
  // More than one transaction's files.
  const folder = join(ci.state, "store/ticket.1");
  const names = Array.from({ length: 120 }, (_, index) => `image-${index}`);
  for (const name of names) writeFileSync(join(folder, name), "x");
  const left = () =>
    readdirSync(folder).filter((name) => name.startsWith("image-")).length;
  ci.sql((db) => {
    const insert = db.prepare(
      "INSERT INTO artifact (ticket, name, type, container, size, sha256, created_at, expired_at, expiring) VALUES (1, ?, 'IMAGE', 'ticket.1', 1, 'x', '2020-01-01', '2020-01-02', 1)",
    );
    for (const name of names) insert.run(name);
  });
  expect(interruptedAt("expire.removed", 10, "SIGTERM", "expire")).toEqual(
    told("what was removed is gone; the next expire does the rest"),
  );
  expect(left()).toBeGreaterThan(0);
  expect(left()).toBeLessThan(120);
  ci.ok("expire");
  expect(left()).toBe(0);
  expect(ci.ok("fsck")).toBe("all is well");
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "land ends at %s with one line that says what stays: no step has failed",
  async (signal) => {
    writeFileSync(
      join(ci.root, "config.json"),
      JSON.stringify({ ...config, fake: { builder: "slow@600000" } }),
    );
    const changes = ci.upload("other", "1.0", program("other"));
    ci.ok("create_ticket", "-t", "other", "-s", changes);
    const land = ci.start("land");
    const stderr = text(land.stderr);
    const ended = once(land, "exit");
    await expect
      .poll(() => ci.ticket("2").progress, { timeout: 30_000 })
      .not.toBeNull();
    land.kill(signal);
    expect(await ended).toEqual([75, null]);
    expect(await stderr).toBe(
      `ubuntu-ci: interrupted, stopping: finished steps stay, what this one logged is kept, and no retry is counted; \`${ci.line("land")}\` goes on\n`,
    );
    expect(ci.ticket("2").runs.at(-1)).toMatchObject({ attempt: 1 });
    expect(ci.ticket("2").waiting_for).toBe("the run was interrupted");
  },
);

test("create_ticket leaves no ticket and no files when it is interrupted before", () => {
  const changes = ci.upload("other", "1.0", program("other"));
  const ended = interruptedAt(
    "admission.staged",
    1,
    "SIGINT",
    "create_ticket",
    "-t",
    "other",
    "-s",
    changes,
  );
  expect(ended.stderr).toContain(
    "there is a ticket only if its number was printed",
  );
  const created = ended.stdout.trim() === "2";
  expect(ended.code).toBe(created ? 0 : 75);
  expect(ci.run("status", "2").code).toBe(created ? 0 : 2);
  expect(ci.ok("fsck")).toBe("all is well");
  rmSync(changes);
});

test("init goes on where it was killed before the state file had its tables", () => {
  const begun = new Installation(config);
  try {
    begun.env["UBUNTU_CI_CRASH_AT"] = "lock.taken";
    expect(begun.run("init").code).toBeNull();
    delete begun.env["UBUNTU_CI_CRASH_AT"];
    begun.sql((db) => db.exec("CREATE TABLE t (x); DROP TABLE t"));
    begun.ok("init");
    expect(begun.ok("fsck")).toBe("all is well");
  } finally {
    begun.remove();
  }
});
