import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  truncateSync,
} from "node:fs";
import { once } from "node:events";
import { join } from "node:path";

import Database from "better-sqlite3";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import type { LogRecord } from "../src/lib/domain/log-record.ts";
import { fakeBackends, Installation, program } from "./support/program.ts";

/** The log, as a file of JSON lines and as the `log` command shows it. */
let ci: Installation;
let file: string;

beforeAll(() => {
  ci = new Installation({
    ...fakeBackends,
    retry: { limit: 0, firstDelaySeconds: 0 },
    fake: { tester: "broken=fail" },
  });
  file = join(ci.state, "log/ubuntu-ci.log");
  ci.ok("init");
  ci.addUploader();
  create("hello");
  ci.ok("land");
});
afterAll(() => ci.remove());
afterEach(() => {
  for (const name of Object.keys(ci.env)) Reflect.deleteProperty(ci.env, name);
});

const create = (name: string) =>
  ci.ok("create_ticket", "-t", name, "-s", ci.upload(name, "1", program(name)));

/** What a power failure leaves of a line. */
const torn = '{"at":"2026';

const lines = (name = file) =>
  readFileSync(name, "utf8").split("\n").slice(0, -1);
const records = (name = file) =>
  lines(name)
    .filter((line) => line !== torn)
    .map((line) => JSON.parse(line) as LogRecord);

/** The numbers of the events that the history has. */
function history(): number[] {
  const db = new Database(join(ci.state, "state.sqlite"), { readonly: true });
  const ids = db.prepare("SELECT id FROM event ORDER BY id").pluck().all();
  db.close();
  return ids as number[];
}

test("has one line for each event, in order, with the transition, step, run and the state of the sources", () => {
  expect(records().map(({ id }) => id)).toEqual(history());
  const built = records().find(
    ({ what, from, ticket }) =>
      what === "passed" && from === "200" && ticket === 1,
  );
  expect(built).toEqual({
    at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    id: expect.any(Number) as number,
    actor: expect.stringContaining("@") as string,
    subject: "ticket",
    subject_id: "1",
    ticket: 1,
    step: { code: 200, name: "Package Building" },
    run: expect.any(Number) as number,
    what: "passed",
    from: "200",
    to: "300",
    why: null,
    sources: [
      {
        source: "hello",
        version: "1",
        step: { code: 300, name: "Image Building" },
        status: expect.any(String) as string,
      },
    ],
  });
  // What becomes of the ticket's PPA is part of its story.
  expect(
    records()
      .filter(({ subject, ticket }) => subject === "ppa" && ticket === 1)
      .map(({ to }) => to),
  ).toEqual(expect.arrayContaining(["reserved", "dirty"]));
});

test("says why a ticket failed", () => {
  const id = create("broken");
  expect(ci.run("land").code).toBe(1);
  expect(records()).toContainEqual(
    expect.objectContaining({
      ticket: Number(id),
      what: "failed",
      from: "400",
      to: "999",
      why: expect.stringContaining("fake tester was told to") as string,
    }),
  );
  const text = ci.ok("log", id);
  expect(text).toMatch(
    /ticket 2 +failed +broken 1: 400 Image Testing → 999 Failed – .*fake tester/,
  );
  expect(text).not.toContain("hello");
});

test("what a killed process could not write any more is written by the next, and nothing twice", () => {
  const whole = lines();
  // A line is torn, and the two before it never came to the disk.
  truncateSync(file, `${whole.slice(0, -3).join("\n")}\n${torn}`.length);
  ci.ok("update_ticket", "1", "-t", "another title");
  const healed = lines().filter((line) => line !== torn);
  expect(healed.slice(0, whole.length)).toEqual(whole);
  expect(healed.map((line) => (JSON.parse(line) as LogRecord).id)).toEqual(
    history(),
  );
});

test("a command killed right after its commit loses no line", () => {
  ci.env["UBUNTU_CI_CRASH_AT"] = "ticket.updated";
  expect(ci.run("update_ticket", "1", "-t", "killed").code).toBeNull();
  delete ci.env["UBUNTU_CI_CRASH_AT"];
  ci.ok("update_ticket", "1", "-t", "and on");
  const ids = records().flatMap(({ id }) => id ?? []);
  expect(ids.slice(-2)).toEqual(history().slice(-2));
  expect(new Set(ids).size).toBe(ids.length);
});

test("goes on in a new file when it was rotated", () => {
  const before = history();
  renameSync(file, `${file}.1`);
  ci.ok("update_ticket", "1", "-t", "after the rotation");
  expect(records().map(({ id }) => id)).toEqual(
    history().filter((id) => !before.includes(id)),
  );
});

test("`log --follow` shows what happens as it happens, through a rotation", async () => {
  const follower = ci.start("log", "1", "--follow", "--json");
  const seen: LogRecord[] = [];
  let rest = "";
  const updates = () => seen.filter(({ what }) => what === "updated").length;
  const shows = async (number: number) => {
    while (updates() < number) {
      const [chunk] = (await once(follower.stdout, "data")) as [Buffer];
      const parts = (rest + chunk.toString()).split("\n");
      rest = parts.pop() ?? "";
      seen.push(...parts.map((line) => JSON.parse(line) as LogRecord));
    }
  };
  const before = history().length;
  const known = JSON.parse(ci.ok("log", "1", "--json")) as {
    events: LogRecord[];
  };
  const old = known.events.filter(({ what }) => what === "updated").length;
  await shows(old);
  ci.ok("update_ticket", "1", "-t", "watched");
  await shows(old + 1);
  renameSync(file, `${file}.2`);
  ci.ok("update_ticket", "1", "-t", "rotated meanwhile");
  await shows(old + 2);
  expect(history()).toHaveLength(before + 2);
  const exit = once(follower, "exit");
  follower.kill("SIGINT");
  expect(await exit).toEqual([0, null]);
  const ids = seen.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(seen.every(({ ticket }) => ticket === 1)).toBe(true);
});

test("no secret gets into it, nor into the history or a PID file", () => {
  ci.env["MIRROR_PASSWORD"] = "correct-horse";
  ci.ok(
    "maintenance",
    "on",
    "--reason",
    "http://me:hunter2@proxy:3128 asks for correct-horse, token=abc123def",
  );
  ci.run("land");
  ci.ok("maintenance", "off");
  const all = [
    readFileSync(file, "utf8"),
    ci.ok("log"),
    ci.ok("log", "--json"),
  ];
  for (const text of all) {
    expect(text).toContain("http://[redacted]@proxy:3128");
    expect(text).not.toMatch(/hunter2|correct-horse|abc123def/);
  }
});

test("a log that cannot be written stops nothing", () => {
  renameSync(join(ci.state, "log"), join(ci.state, "log.away"));
  appendFileSync(join(ci.state, "log"), "a file where the folder was\n");
  const { code, stderr } = ci.run("update_ticket", "1", "-t", "goes on");
  expect(code).toBe(0);
  expect(stderr).toContain("warning: the log was not written");
  expect(ci.ticket("1").title).toBe("goes on");
  expect(existsSync(file)).toBe(false);
});
