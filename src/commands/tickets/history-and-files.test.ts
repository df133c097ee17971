import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { InProcess, saying } from "../../../test/support/in-process.ts";
import type { LogRecord } from "../../lib/domain/log-record.ts";

/** What a ticket leaves: its history and its files. Nothing here changes the state. */
let ci: InProcess;

beforeAll(async () => {
  ci = await InProcess.init({ fake: { tester: "broken=verbose@400000" } });
  await ci.create("hello");
  await ci.create("broken");
  await ci.run("land");
});
afterAll(() => ci.remove());

const records = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as LogRecord);

describe("log", () => {
  test("tells a ticket's story and nobody else's", async () => {
    const text = await ci.ok("log", "2");
    expect(text).toMatch(
      /ticket 2 +failed +broken 1\.0: 400 Image Testing → 999 Failed – .*fake tester/,
    );
    expect(text).not.toContain("hello");
    const { document } = await ci.json("log", "1");
    const { events } = document as { events: LogRecord[] };
    expect(
      events
        .filter(
          ({ subject, what }) => subject === "ticket" && what === "passed",
        )
        .map(({ from, to }) => `${from ?? ""} ${to ?? ""}`),
    ).toEqual(["100 200", "200 300", "300 400", "400 500", "500 1000"]);
  });

  test("tells the newest of everything, or what is younger than that", async () => {
    expect((await ci.ok("log", "-n", "3")).split("\n")).toHaveLength(3);
    expect(await ci.ok("log", "--since", "2999-01-01")).toBe("");
    expect(await ci.ok("log", "--since", "1h")).toContain("ticket 1");
    expect(await ci.run("log", "-n", "-3")).toMatchObject({
      code: 2,
      stderr: saying("--lines must not be negative"),
    });
    expect(await ci.run("log", "--since", "tea")).toMatchObject({
      code: 2,
      stderr: saying("It must be a date"),
    });
    expect(await ci.run("log", "9")).toMatchObject({
      code: 2,
      stderr: saying("there is no ticket 9"),
    });
  });

  test("has what only the log file knows, too", async () => {
    const file = join(ci.state, "log/ubuntu-ci.log");
    const aside = {
      at: new Date().toISOString(),
      id: null,
      actor: "somebody@here",
      subject: "lock",
      subject_id: "land",
      ticket: null,
      what: "second copy",
      from: null,
      to: null,
      why: "left at once",
    };
    appendFileSync(file, `${JSON.stringify(aside)}\n{"at":"torn`);
    expect(await ci.ok("log", "-n", "5")).toMatch(
      /lock land +second copy .*left at once/,
    );
    expect(await ci.ok("log", "1")).not.toContain("second copy");
  });

  test("--follow begins with the history, and ends when it is interrupted", async () => {
    const { stop } = ci;
    ci.stop = new AbortController();
    ci.stop.abort();
    const followed = await ci.ok("log", "2", "--follow", "--json");
    ci.stop = stop;
    const { document } = await ci.json("log", "2");
    expect(records(followed)).toEqual(
      (document as { events: LogRecord[] }).events,
    );
  });

  test("the log file has a line for each event, in order", () => {
    const file = join(ci.state, "log/ubuntu-ci.log");
    const lines = readFileSync(file, "utf8").split("\n");
    const logged = lines
      .filter((line) => line.startsWith('{"at":"2') && line.endsWith("}"))
      .map((line) => (JSON.parse(line) as LogRecord).id)
      .filter((id) => id !== null);
    const events = ci.sql("SELECT id FROM event ORDER BY id");
    expect(logged).toEqual(events.map((row) => (row as { id: number }).id));
  });
});

describe("get_artifact and get_image", () => {
  test("write a file under its name, into a folder, or to standard output", async () => {
    const name = "hello_1.0_amd64.build";
    const file = join(ci.root, "the.log");
    const args = ["get_artifact", "1", name];
    const { stdout, stderr } = await ci.run(...args, "-o", file, "-v", "2");
    expect(stdout).toBe(`${file}\n`);
    expect(stderr).toMatch(
      /^hello_1\.0_amd64\.build, \d+ B, sha256 [0-9a-f]{64}\n$/,
    );
    expect(readFileSync(file, "utf8")).toBe(
      "fake build of hello 1.0: passed\n",
    );
    const folder = join(ci.root, "fetched");
    mkdirSync(folder);
    expect((await ci.json(...args, "-o", folder)).document).toMatchObject({
      path: join(folder, name),
      artifact: { name, type: "LOGS" },
    });
    expect(readdirSync(folder)).toEqual([name]);
    for (const there of [file, folder])
      expect(await ci.run(...args, "-o", there)).toMatchObject({
        code: 2,
        stderr: saying("is there already\n  --force replaces it"),
      });
    await ci.ok(...args, "-o", folder, "--force");
    expect(await ci.ok(...args, "-o", join(ci.root, "new/"))).toBe(
      join(ci.root, "new", name),
    );
    expect((await ci.run(...args, "-o", "-")).stdout).toBe(
      "fake build of hello 1.0: passed\n",
    );
    expect(readdirSync(join(ci.state, "scratch"))).toEqual([]);
    const image = join(ci.root, "image");
    expect(await ci.ok("get_image", "1", "-o", image)).toBe(image);
    expect(statSync(image).size).toBeGreaterThan(0);
  });

  test("are refused where there is no such thing, or no such place", async () => {
    for (const [line, message] of [
      ["get_artifact 1 tea", "ticket 1 has no artifact"],
      ["get_artifact 9 tea", "there is no ticket 9"],
      ["get_image 1 --type qcow2", "Bootable images (qcow2) are not made yet"],
      [
        "get_image 1 -o /proc/nowhere/image",
        "name another place with --output",
      ],
    ] as const)
      expect(await ci.run(...line.split(" "))).toMatchObject({
        code: 2,
        stderr: saying(message),
      });
  });

  test("a long log is kept compressed, and unpacked for its plain name", async () => {
    const { artifacts, failure } = await ci.ticket(2);
    const log = artifacts.find(({ name }) => name === failure?.artifact);
    if (log === undefined) throw new Error("no log");
    expect(log.name).toBe("broken.autopkgtest.log.gz");
    expect(log.size).toBe(statSync(ci.stored(log)).size);
    expect(log.size).toBeLessThan(10_000);
    const plain = "broken.autopkgtest.log";
    const { stdout } = await ci.run("get_artifact", "2", plain, "-o", "-");
    expect(stdout).toHaveLength(400_000);
    expect(stdout).toMatch(/many\n.*fake test of broken: failed\n$/);
    const file = join(ci.root, plain);
    for (const more of [[], ["--force"]])
      await ci.ok("get_artifact", "2", plain, "-o", file, ...more);
    expect(readFileSync(file, "utf8")).toBe(stdout);
    const packed = join(ci.root, log.name);
    await ci.ok("get_artifact", "2", log.name, "-o", packed);
    expect(readFileSync(packed)).toEqual(readFileSync(ci.stored(log)));
    expect(await ci.ok("explain", "2")).toContain(
      `get_artifact 2 ${plain} -o -`,
    );
    const report = join(ci.root, "report");
    await ci.ok("shepherd-report", "--output", report);
    const folder = join(report, "tickets/2");
    const page = readFileSync(join(folder, "index.html"), "utf8");
    expect(page).toContain("fake test of broken: failed");
    expect(page).toContain("files/broken.autopkgtest.log.txt.gz");
    expect(readdirSync(join(folder, "files"))).toContain(
      "broken.autopkgtest.log.txt.gz",
    );
  });

  test("a file that is damaged is not handed out", async () => {
    const name = "hello.autopkgtest.log";
    const { artifacts } = await ci.ticket(1);
    const artifact = artifacts.find((one) => one.name === name);
    if (artifact === undefined) throw new Error("it is not there");
    appendFileSync(ci.stored(artifact), "rot");
    const file = join(ci.root, "rotten");
    const { code, stderr } = await ci.run(
      "get_artifact",
      "1",
      name,
      "-o",
      file,
    );
    expect(code).toBe(78);
    expect(stderr).toMatch(
      /hello\.autopkgtest\.log in the data store is damaged: its sha256 is/,
    );
    expect(existsSync(file)).toBe(false);
  });
});
