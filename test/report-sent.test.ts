import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { InProcess, saying } from "./support/in-process.ts";

/** The report on a web host: a real rsync daemon on loopback, and a reader there. */
let ci: InProcess;
let port: number;
let daemon: ChildProcess;
let there: string;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: found } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return found;
}

async function start(): Promise<void> {
  const config = join(ci.root, "rsyncd.conf");
  writeFileSync(
    config,
    `use chroot = no\nnumeric ids = yes\npid file = ${ci.root}/rsyncd.pid\n[site]\npath = ${there}\nread only = no\n`,
  );
  rmSync(join(ci.root, "rsyncd.pid"), { force: true });
  daemon = spawn(
    "rsync",
    [
      ...["--daemon", "--no-detach", `--port=${port}`],
      ...["--address=127.0.0.1", `--config=${config}`],
    ],
    { stdio: "ignore" },
  );
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = await new Promise<boolean>((tell) => {
      socket.once("connect", () => {
        tell(true);
      });
      socket.once("error", () => {
        tell(false);
      });
    });
    socket.destroy();
    if (isOpen) return;
    await setTimeout(20);
  }
}

async function stop(): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  daemon.kill();
  await once(daemon, "exit");
}

beforeAll(async () => {
  ci = await InProcess.init();
  port = await freePort();
  there = join(ci.root, "web");
  mkdirSync(there);
  ci.configure({ report: { rsyncTarget: `rsync://127.0.0.1:${port}/site/` } });
  await start();
});
afterAll(async () => {
  await stop();
  ci.remove();
});

const files = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();

test("a reader never sees half a page, nor a page vanish that stays", async () => {
  await ci.create("one");
  await ci.run("land");
  await ci.ok("shepherd-report");
  expect(files(there)).toEqual(files(join(ci.state, "report")));
  let reads = 0;
  const wrong: string[] = [];
  const reader = new AbortController();
  const polling = (async () => {
    const pages = files(there).filter((name) => name.endsWith(".html"));
    while (!reader.signal.aborted) {
      for (const page of pages) {
        const file = join(there, page);
        if (!existsSync(file)) wrong.push(`${page} is gone`);
        else if (!readFileSync(file, "utf8").endsWith("</html>\n"))
          wrong.push(`${page} is cut`);
        reads += 1;
      }
      await setTimeout(0);
    }
  })();
  for (const name of ["two", "three", "four"]) {
    await ci.create(name);
    await ci.run("land");
    await ci.ok("shepherd-report");
  }
  await ci.ok("shepherd-report", "--all");
  reader.abort();
  await polling;
  expect(wrong).toEqual([]);
  expect(reads).toBeGreaterThan(100);
  expect(files(there)).toEqual(files(join(ci.state, "report")));
});

test("what is gone here goes there, and nothing is sent twice", async () => {
  const stray = join(there, "tickets/1/stray.html");
  writeFileSync(stray, "");
  await ci.ok("shepherd-report");
  expect(existsSync(stray)).toBe(true);
  await ci.create("five");
  await ci.run("land");
  await ci.ok("shepherd-report");
  expect(existsSync(stray)).toBe(false);
});

test("a target that fails is tried again, and told of until it works", async () => {
  await stop();
  await ci.create("six");
  await ci.run("land");
  expect(await ci.run("shepherd-report")).toMatchObject({
    code: 75,
    stderr: saying(/the report did not reach rsync:.*rsync/),
  });
  // Nothing else happened: it is tried again all the same, and the pages say so.
  expect((await ci.run("shepherd-report")).code).toBe(75);
  const page = () => readFileSync(join(ci.state, "report/index.html"), "utf8");
  expect(page()).toContain("this report does not reach rsync://127.0.0.1");
  expect(await ci.ok("log", "-n", "50")).toMatch(/report +not sent/);
  await start();
  await ci.ok("shepherd-report");
  expect(await ci.ok("log", "-n", "50")).toMatch(/report +sent again/);
  await ci.ok("shepherd-report");
  expect(page()).not.toContain("does not reach");
  expect(readFileSync(join(there, "index.html"), "utf8")).toBe(page());
});
