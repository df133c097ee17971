import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { stopsInMaintenance } from "../src/cli/run-verb.ts";
import type { LogRecord } from "../src/lib/domain/log-record.ts";
import { fakeBackends, Installation, program } from "./support/program.ts";
import { everyVerb, shortestLine } from "./support/verbs.ts";

/** The toggle, switched by the command and by hand. */
let ci: Installation;
let toggle: string;
/** A build is held as long as this is there. */
const held = join(tmpdir(), `uci-held-${process.pid}`);

beforeAll(() => {
  ci = new Installation({
    ...fakeBackends,
    fake: { builder: `slow=hold@${held}` },
  });
  toggle = join(ci.state, "maintenance.txt");
  ci.ok("init");
  ci.addUploader();
  create("hello");
});
afterAll(() => ci.remove());
afterEach(() => {
  delete ci.env["UBUNTU_CI_CRON"];
});

const create = (name: string) =>
  ci.ok("create_ticket", "-t", name, "-s", ci.upload(name, "1", program(name)));

function logged(): LogRecord[] {
  return readFileSync(join(ci.state, "log/ubuntu-ci.log"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as LogRecord)
    .filter(({ subject }) => subject === "maintenance");
}

/** Every file of the state with its contents, except what tells that something was held back, and locks. */
function contents(): string[] {
  return readdirSync(ci.state, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (file) => !/\/(locks|log|run)\/|-shm$|-wal$|maintenance\.txt$/.test(file),
    )
    .map(
      (file) =>
        `${file} ${createHash("sha256").update(readFileSync(file)).digest("hex")}`,
    )
    .sort();
}

/** A command line for each command that changes something, made from how its options look. */
async function changingCommandLines(): Promise<string[][]> {
  return (await everyVerb())
    .filter(({ verb }) => stopsInMaintenance(verb, {}))
    .map((known) =>
      shortestLine(known, (name) => (name === "state" ? "ok" : "11")),
    );
}

test("maintenance.txt stops every changing command before it starts, and nothing changes", async () => {
  writeFileSync(toggle, "new disk\nin rack 7\n");
  const before = contents();
  const lines = await changingCommandLines();
  expect(lines.map(([name]) => name)).toEqual(
    expect.arrayContaining(["create_ticket", "land", "init", "uploaders"]),
  );
  const byOption = [
    ["fsck", "--mend"],
    ["override", "1", "--ignore-test", "hello", "--reason", "a try"],
  ];
  for (const line of [...lines, ...byOption]) {
    const { code, stdout, stderr } = ci.run(...line);
    expect([line, code, stdout]).toEqual([line, 75, ""]);
    expect(stderr).toMatch(
      new RegExp(
        `^ubuntu-ci: maintenance is on since \\S+ \\S+Z \\(\\d+ s\\) by ${userInfo().username}: new disk in rack 7\\n  \`${ci.line("maintenance off")}\` ends it\\n$`,
      ),
    );
  }
  ci.env["UBUNTU_CI_CRON"] = "1";
  expect(ci.run("land")).toEqual({ code: 75, stdout: "", stderr: "" });
  expect(contents()).toEqual(before);
}, 60_000);

test("reading goes on, and tells of it", () => {
  for (const line of [["status"], ["status", "1"], ["locks"], ["log"], ["ppa"]])
    expect([line, ci.run(...line).code]).toEqual([line, 0]);
  const status = ci.ok("maintenance");
  expect(status).toMatch(
    /^on since \S+ \S+Z \(.*\) by \S+: new disk in rack 7$/m,
  );
  expect(status).toMatch(/^held back: .*land since \S+ \S+Z \(2 times\)/m);
});

test("the log says once that it was noticed, and once a command that it was held back", () => {
  const lines = logged();
  expect(lines.filter(({ what }) => what === "noticed")).toEqual([
    expect.objectContaining({
      id: null,
      why: expect.stringMatching(
        /^maintenance\.txt: on since .* by \S+: new disk in rack 7$/,
      ) as string,
    }),
  ]);
  const land = lines.filter(
    ({ what, why }) => what === "held back" && why?.startsWith("land: "),
  );
  expect(land).toHaveLength(1);
  expect(ci.ok("log", "-n", "100")).toMatch(/held back .*land: maintenance is/);
});

test("the report says so, since when, by whom and why; and warns when somebody may have forgotten it", () => {
  ci.ok("shepherd-report");
  const page = () => readFileSync(join(ci.state, "report/index.html"), "utf8");
  expect(page()).toMatch(/Maintenance<\/strong> since .*new disk in rack 7/);
  expect(page()).toContain("Updates have been held back since");
  expect(page()).not.toContain("did somebody forget it?");
  const yesterday = Date.now() / 1000 - 26 * 3600;
  utimesSync(toggle, yesterday, yesterday);
  const warning = "(1 d 2 h) by";
  const { stderr } = ci.run("maintenance", "status");
  expect(stderr).toContain(warning);
  expect(stderr).toContain("did somebody forget it?");
  ci.ok("shepherd-report");
  expect(page()).toContain("did somebody forget it?");
  expect(page()).toContain(warning);
});

test("when the file is gone things go on, and the history has its beginning and end", () => {
  rmSync(toggle);
  expect(ci.ok("maintenance")).toBe("off");
  ci.ok("update_ticket", "1", "-t", "goes on");
  const ends = logged().slice(-2);
  expect(ends).toEqual([
    expect.objectContaining({
      what: "on",
      to: "on",
      why: expect.stringContaining("was made by hand") as string,
    }),
    expect.objectContaining({
      what: "off",
      from: "on",
      to: "off",
      why: expect.stringMatching(
        /new disk.*; held back: .*land since/,
      ) as string,
    }),
  ]);
  ci.ok("shepherd-report");
  expect(
    readFileSync(join(ci.state, "report/index.html"), "utf8"),
  ).not.toContain("new disk");
});

test("on and off: who did it and why is in the history, twice on keeps the age", () => {
  ci.ok("maintenance", "on", "--reason", "kernel");
  const first = JSON.parse(ci.ok("maintenance", "--json")) as {
    maintenance: { since: string };
  };
  ci.ok("maintenance", "on", "--reason", "kernel and disk");
  expect(JSON.parse(ci.ok("maintenance", "--json"))).toMatchObject({
    maintenance: {
      since: first.maintenance.since,
      by: expect.stringContaining("@") as string,
      reason: "kernel and disk",
    },
  });
  expect(ci.run("land").stderr).toContain(": kernel and disk\n");
  ci.ok("maintenance", "off");
  expect(
    logged()
      .slice(-4)
      .map(({ what, why }) => `${what}: ${why ?? ""}`),
  ).toEqual([
    "on: kernel",
    "on: kernel and disk",
    expect.stringMatching(/^held back: land: /) as string,
    expect.stringMatching(
      /^off: it was on since .*; held back: land/,
    ) as string,
  ]);
});

test("an empty file is enough; --dry-run changes nothing", () => {
  ci.ok("maintenance", "on", "--dry-run");
  expect(ci.ok("maintenance")).toBe("off");
  writeFileSync(toggle, "");
  expect(ci.run("update_ticket", "1", "-t", "x")).toMatchObject({ code: 75 });
  expect(ci.ok("maintenance")).toMatch(/^on since \S+ \S+Z \(\d+ s\) by \S+$/m);
  ci.ok("maintenance", "off");
});

test("what runs finishes its ticket and begins no other, and `maintenance wait` returns when it has", async () => {
  ci.ok("land");
  writeFileSync(held, "");
  const id = create("slow");
  const later = create("later");
  const running = ci.start("land", "-v", "3");
  let text = "";
  for await (const chunk of running.stderr) {
    text += String(chunk);
    if (text.includes("being held")) break;
  }
  ci.ok("maintenance", "on", "--reason", "upgrade");
  expect(ci.run("maintenance", "wait", "--timeout", "0")).toMatchObject({
    code: 75,
    stderr: expect.stringContaining(
      `still running: land (process ${String(running.pid)}`,
    ) as string,
  });
  const waiting = ci.start("maintenance", "wait", "-v", "2");
  await once(waiting.stderr, "data");
  const exits = Promise.all([once(running, "exit"), once(waiting, "exit")]);
  rmSync(held);
  expect(await exits).toEqual([
    [75, null],
    [0, null],
  ]);
  expect([ci.ticket(id), ci.ticket(later)].map(({ status }) => status)).toEqual(
    ["done", "waiting"],
  );
  expect(ci.ok("log", "-n", "5")).toMatch(
    /held back .*land: maintenance is on .*: upgrade/,
  );
  ci.ok("maintenance", "off");
  ci.ok("land");
  expect(ci.ticket(later).status).toBe("done");
});
