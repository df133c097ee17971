import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { afterEach, expect, test } from "vitest";

import { fakeBackends, Installation, program } from "./support/program.ts";

/** What the power may take: the order in which files, their names and the rows that name them reach the disk. */

let ci: Installation;
afterEach(() => ci.remove());

/** The system calls of a command that change or flush files, with the paths that its descriptors stand for. */
function traced(...args: string[]): string[] {
  const output = join(ci.root, "trace");
  const { status, stderr } = spawnSync(
    "strace",
    [
      ...["-f", "-y", "-s", "0", "-o", output],
      ...["-e", "trace=fsync,fdatasync,rename,renameat,renameat2,pwrite64"],
      resolve(import.meta.dirname, "../bin/ubuntu-ci"),
      ...["--state-dir", ci.state, "--config", join(ci.root, "config.json")],
      ...args,
    ],
    { encoding: "utf8", env: { ...process.env, HOME: ci.root } },
  );
  expect({ status, stderr }).toMatchObject({ status: 0 });
  return readFileSync(output, "utf8").split("\n");
}

test("create_ticket flushes each file, its name and its container's before the row that names it", () => {
  ci = new Installation(fakeBackends);
  ci.ok("init");
  ci.addUploader();
  const changes = ci.upload("hello", "1.0", program("hello"));
  const calls = traced("create_ticket", "-t", "hello", "-s", changes);

  const store = join(ci.state, "store");
  const container = join(store, "ticket.1");
  const wal = join(ci.state, "state.sqlite-wal");
  const flushes = (path: string) => (call: string) =>
    /\bf(?:data)?sync\(/.test(call) && call.includes(`<${path}>`);
  const folderFlushed = calls.findLastIndex(flushes(container));
  const storeFlushed = calls.findLastIndex(flushes(store));
  const rowsWritten = calls.findIndex(
    (call, index) =>
      index > folderFlushed && call.includes("pwrite64(") && call.includes(wal),
  );

  const { artifacts } = ci.ticket("1");
  expect(artifacts.length).toBeGreaterThan(2);
  for (const { name } of artifacts) {
    const named = calls.findIndex(
      (call) =>
        /\brename/.test(call) && call.includes(`"${join(container, name)}"`),
    );
    const [, from = "none"] =
      /rename[^"]*"([^"]+)"/.exec(calls[named] ?? "") ?? [];
    const contents = calls.findIndex(flushes(from));
    expect({
      name,
      inOrder: 0 <= contents && contents < named && named < folderFlushed,
    }).toEqual({ name, inOrder: true });
  }
  expect(storeFlushed).toBeGreaterThanOrEqual(0);
  expect(storeFlushed).toBeLessThan(rowsWritten);
  expect(folderFlushed).toBeLessThan(rowsWritten);
  // The commit itself is flushed, too, before its number is told.
  expect(calls.findLastIndex(flushes(wal))).toBeGreaterThan(rowsWritten);
});
