import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { InProcess, saying } from "../../test/support/in-process.ts";
import { commands } from "../commands/index.ts";
import { version } from "../version.ts";

let ci: InProcess;

beforeAll(async () => {
  ci = await InProcess.init();
});
afterAll(() => ci.remove());

describe("help", () => {
  test("is grouped by topic; a command's own options come first", async () => {
    const all = await ci.ok("help");
    expect(all).toBe(await ci.ok("--help"));
    expect(all).toMatch(/^Tickets:\n {2}create_ticket/m);
    expect(all).toMatch(/^Steps:\n {2}land/m);
    const ofLand = await ci.ok("help", "land");
    expect(ofLand).toBe(await ci.ok("land", "--help"));
    expect(ofLand.indexOf("--until")).toBeLessThan(ofLand.indexOf("--json"));
    expect(await ci.ok("help", "ppa", "add")).toContain("ubuntu-ci ppa add");
    expect(await ci.ok("--version")).toBe(version);
  });

  test("is there for topics and settings, too", async () => {
    expect(await ci.ok("help", "steps")).toMatch(/^Steps:\n {2}land /);
    expect(await ci.ok("help", "retry.limit")).toContain("(default: 3)");
    expect((await ci.run("help", "nonsense")).code).toBe(2);
  });

  test("of a verb has examples of that verb", async () => {
    for (const verb of ["archive show", "archive list", "ppa add", "ppa list"])
      for (const example of (await ci.ok(...verb.split(" "), "--help"))
        .split("Examples:\n")[1]
        ?.trim()
        .split("\n") ?? [""])
        expect(example).toContain(`ubuntu-ci ${verb}`);
  });

  test("a mistyped verb or setting gets a suggestion", async () => {
    expect((await ci.run("ppa", "lst")).stderr).toContain("Did you mean list?");
    expect((await ci.run("config", "concurency")).stderr).toContain(
      "did you mean concurrency?",
    );
    const file = join(ci.root, "mistyped.json");
    writeFileSync(file, '{"concurency": 2}');
    expect((await ci.run("config", "--config", file)).stderr).toContain(
      "did you mean concurrency?",
    );
  });

  test.each(Object.keys(commands))("%s has two examples", async (name) => {
    const help = await ci.ok(name, "--help");
    expect(help).toContain("--state-dir");
    expect(
      help.split("Examples:")[1]?.match(/ubuntu-ci /g)?.length ?? 0,
    ).toBeGreaterThanOrEqual(2);
  });

  test("is what a line without a command gets, with exit code 2", async () => {
    expect(await ci.run()).toMatchObject({
      code: 2,
      stdout: "",
      stderr: saying("Usage: ubuntu-ci"),
    });
  });
});

describe("an error", () => {
  test.each([
    [["create_ticket"], "required option '-t, --title <title>' not specified"],
    [["status", "x"], "It must be the number of a ticket"],
    [["status", "99"], "there is no ticket 99"],
    [["frobnicate"], "unknown command 'frobnicate'"],
    [["help", "tea"], "unknown command 'tea'"],
    [["land", "--until", "tea"], "It must be one of 100 (Queued)"],
    [["land", "-v", "4"], "It must be 1, 2 or 3"],
    [
      ["maintenance", "wait", "--timeout", "x"],
      "It must be a number of seconds",
    ],
    [["archive", "show", "x"], "It must be a whole number"],
    [["cancel", "1", "--reason", "a\x07"], "'a\\x07' is invalid"],
  ])("of the command line exits 2 and says why: %j", async (args, message) => {
    expect(await ci.run(...args)).toMatchObject({
      code: 2,
      stdout: "",
      stderr: saying(message),
    });
  });

  test("is a document with --json, wherever it comes from", async () => {
    expect(await ci.json("status", "99")).toEqual({
      code: 2,
      document: {
        error: {
          message: "there is no ticket 99",
          hint: expect.toBeOneOf([null, expect.any(String)]) as unknown,
          exit: 2,
          problems: [],
        },
      },
    });
    expect(await ci.json("status", "--zzzzzzzz")).toMatchObject({
      code: 2,
      document: { error: { message: "unknown option '--zzzzzzzz'", exit: 2 } },
    });
  });

  test("of the configuration names every problem (78)", async () => {
    const file = join(ci.root, "wrong.json");
    const wrong = { builder: "magic", ppa: { pool: 0 }, nonsense: 1 };
    writeFileSync(file, JSON.stringify(wrong), { mode: 0o600 });
    const { code, stderr } = await ci.run("status", "--config", file);
    expect(code).toBe(78);
    expect(stderr).toContain("builder: must be one of session, sbuild, fake");
    expect(stderr).toContain("ppa.pool: must be a whole number from 1 to 999");
    expect(stderr).toContain("nonsense: there is no such setting");
  });

  test("of ours is a bug, whose stack is shown at verbosity 3", async () => {
    const broken = ci.copy();
    broken.sql("ALTER TABLE ticket RENAME TO mislaid");
    const { code, stderr } = await broken.run("status");
    expect(code).toBe(70);
    expect(stderr).toMatch(
      /^ubuntu-ci: a bug of ubuntu-ci: no such table: .*\n {2}run it again with --verbosity 3/,
    );
    expect((await broken.run("status", "-v", "3")).stderr).toMatch(/\n +at /);
    broken.remove();
  });

  test("of a state that is not there, or newer, says so (78)", async () => {
    const nowhere = join(ci.root, "nowhere");
    for (const args of [["status"], ["land"]])
      expect(await ci.run(...args, "--state-dir", nowhere)).toMatchObject({
        code: 78,
        stderr: saying(nowhere),
      });
    const newer = ci.copy();
    newer.sql("PRAGMA user_version = 999");
    expect(await newer.run("status")).toMatchObject({
      code: 78,
      stderr: saying("newer version"),
    });
    newer.remove();
  });
});

describe("a ticket system elsewhere", () => {
  test.each([["status"], ["log"], ["cancel", "1"], ["override", "1"]])(
    "is refused for now: %j",
    async (...args) => {
      const url = ["-u", "http://localhost:1/"];
      expect(await ci.run(...args, ...url)).toMatchObject({
        code: 78,
        stdout: "",
        stderr: saying("remote ticket systems are not available yet"),
      });
    },
  );

  test("has to be configured for --staging", async () => {
    expect(await ci.run("status", "-S")).toMatchObject({
      code: 78,
      stderr: saying("no staging system is configured"),
    });
  });

  test.each([
    ["ppa", "list", "--staging"],
    ["land", "--url=http://localhost:1/"],
    ["config", "-S"],
  ])("is nothing for what works on the installation: %j", async (...args) => {
    expect(await ci.run(...args)).toMatchObject({
      code: 2,
      stdout: "",
      stderr: saying(`${args[0]} works on the installation on this machine`),
    });
  });
});

test("both spellings of a command work, and global options on either side of it", async () => {
  expect(await ci.run("-v", "2", "assign_ppa")).toMatchObject({
    code: 0,
    stderr: "assign-ppa: nothing to do\n",
  });
  expect(await ci.ok("--json", "create-ticket", "--help")).toContain(
    "create-ticket",
  );
});
