import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import type { LogRecord } from "../src/lib/domain/log-record.ts";
import { thisProcess } from "../src/lib/files/process-identity.ts";
import { fakeBackends, Installation, program } from "./support/program.ts";

/** Locks as whoever works at the command line, cron and the report meet them. */
const fakes = {
  ...fakeBackends,
  retry: { firstDelaySeconds: 0 },
};

let ci: Installation;
/** A build is held as long as this is there. */
const held = join(tmpdir(), `uci-held-${process.pid}`);

beforeAll(() => {
  ci = new Installation({
    ...fakes,
    fake: { builder: `patience=slow@20000,one=hold@${held}` },
  });
  ci.ok("init");
  ci.addUploader();
});
afterAll(() => ci.remove());
afterEach(() => {
  delete ci.env["UBUNTU_CI_CRON"];
  delete ci.env["UBUNTU_CI_CRASH_AT"];
});

const create = (name: string) =>
  ci.ok("create_ticket", "-t", name, "-s", ci.upload(name, "1", program(name)));

function logged(what: string): LogRecord[] {
  return readFileSync(join(ci.state, "log/ubuntu-ci.log"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as LogRecord)
    .filter((record) => record.what === what);
}

/** Starts the lander on a package whose build takes a while; returns when it is being built. */
async function landSlowly(name: string) {
  const id = create(name);
  const child = ci.start("land", "-v", "3");
  let text = "";
  for await (const chunk of child.stderr) {
    text += String(chunk);
    if (/being (?:slow|held)/.test(text)) break;
  }
  return { id, child };
}

/** A lock that the process of this test holds, since a moment of our choice. */
function hold(name: string, since: string): void {
  writeFileSync(
    join(ci.state, "run", `${name}.pid`),
    JSON.stringify({
      ...thisProcess(),
      name,
      since,
      command: `bin/ubuntu-ci ${name}`,
    }),
  );
}

test("of two copies one works and the other leaves with 75 and one line, under cron without", async () => {
  writeFileSync(held, "");
  const { id, child } = await landSlowly("one");
  const second = ci.run("land");
  expect(second.code).toBe(75);
  expect(second.stdout).toBe("");
  expect(second.stderr).toMatch(
    new RegExp(
      `^ubuntu-ci: land is running already: process ${String(child.pid)} on ${hostname()}, since \\S+ \\S+Z, for \\d+ s\\n$`,
    ),
  );
  ci.env["UBUNTU_CI_CRON"] = "1";
  expect(ci.run("land")).toEqual({ code: 75, stdout: "", stderr: "" });
  expect(ci.ok("locks")).toMatch(
    new RegExp(
      `^land  alive  process ${String(child.pid)} on ${hostname()}  since \\S+ \\S+ \\(\\d+ s\\)  .*ubuntu-ci .*land -v 3$`,
    ),
  );
  const exit = once(child, "exit");
  rmSync(held);
  expect(await exit).toEqual([0, null]);
  expect(ci.ticket(id).status).toBe("done");
  // However often others were turned away, the log says so once.
  expect(logged("second copy")).toEqual([
    expect.objectContaining({
      subject: "lock",
      subject_id: "land",
      why: expect.stringContaining(`process ${String(child.pid)}`) as string,
    }),
  ]);
  expect(ci.ok("locks")).toBe("no locks");
});

test("what a killed copy held is taken over at once, and logged", async () => {
  const { id, child } = await landSlowly("patience");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(ci.ok("locks")).toContain("land  dead, the next run takes it over");
  ci.ok("update_ticket", id, "-t", "still there");
  writeFileSync(join(ci.root, "config.json"), JSON.stringify(fakes));
  const begun = performance.now();
  const next = ci.run("land", "-v", "2");
  expect(next.code).toBe(0);
  expect(next.stderr).toContain("took over the lock land: process");
  expect(performance.now() - begun).toBeLessThan(15_000);
  expect(ci.ticket(id).status).toBe("done");
  expect(logged("taken over")).toEqual([
    expect.objectContaining({
      subject: "lock",
      subject_id: "land",
      why: expect.stringMatching(
        new RegExp(`process ${String(child.pid)} on .* is gone: .*land -v 3`),
      ) as string,
    }),
  ]);
});

test("one killed in the middle of taking over is in the way for seconds only", () => {
  const file = join(ci.state, "run", "clean-ppas.pid");
  const dead = { ...thisProcess(), process_start: "1", name: "clean-ppas" };
  const since = "2026-01-01T00:00:00.000Z";
  writeFileSync(file, JSON.stringify({ ...dead, since, command: "x" }));
  ci.env["UBUNTU_CI_CRASH_AT"] = "lock.taken-over";
  expect(ci.run("clean-ppas").code).toBeNull();
  delete ci.env["UBUNTU_CI_CRASH_AT"];
  expect(ci.run("clean-ppas")).toMatchObject({ code: 0, stderr: "" });
  expect(ci.ok("locks")).toBe("no locks");
});

test("a lock that is held for too long is a warning on the terminal, in the log and in the report", () => {
  const since = new Date(Date.now() - 5 * 3_600_000).toISOString();
  hold("release-ppa", since);
  const warning = "release-ppa has been running for 5 h 0 min";
  for (let times = 0; times < 2; times += 1) {
    const { code, stderr } = ci.run("release-ppa");
    expect(code).toBe(75);
    expect(stderr).toContain(`warning: ${warning}`);
    expect(stderr).toContain(`end it with kill ${process.pid}`);
  }
  expect(ci.run("locks").stderr).toContain(`warning: ${warning}`);
  expect(JSON.parse(ci.ok("locks", "--json"))).toMatchObject({
    locks: [
      {
        name: "release-ppa",
        pid: process.pid,
        since,
        dead: false,
        warning: expect.stringContaining(warning) as string,
      },
    ],
  });
  ci.ok("shepherd-report");
  expect(readFileSync(join(ci.state, "report/index.html"), "utf8")).toContain(
    warning,
  );
  expect(logged("old")).toEqual([
    expect.objectContaining({ subject_id: "release-ppa", from: since }),
  ]);
});

test("cron mails an old lock once a day, not each time", () => {
  hold("ppa", new Date(Date.now() - 5 * 3_600_000).toISOString());
  ci.env["UBUNTU_CI_CRON"] = "1";
  const first = ci.run("ppa", "add", "ci_pool-900");
  expect(first.code).toBe(75);
  expect(first.stderr).toMatch(/^warning: ppa has been running for 5 h/);
  expect(ci.run("ppa", "add", "ci_pool-900")).toEqual({
    code: 75,
    stdout: "",
    stderr: "",
  });
});
