import {
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { fakeBackends, Installation, program } from "./support/program.ts";

/** The whole program on fake backends: what it decides, without what takes minutes. */
const fakes = {
  ...fakeBackends,
  retry: { firstDelaySeconds: 0 },
};

let ci: Installation;

function install(config: object): void {
  ci = new Installation({ ...fakes, ...config });
  ci.ok("init");
  ci.addUploader();
}

const create = (name: string, version = "1.0", ...options: string[]) =>
  ci.ok(
    "create_ticket",
    "-t",
    `land ${name}`,
    "-s",
    ci.upload(name, version, program(name)),
    ...options,
  );

beforeEach(() => install({}));
afterEach(() => ci.remove());

describe("a ticket's way", () => {
  test("it lands step by step, and its PPA is free again", () => {
    const id = create("hello");
    expect(ci.ticket(id)).toMatchObject({
      id: 1,
      status: "waiting",
      step: { code: 100, name: "Queued" },
      queue_position: 1,
      owner: "dev@example.com",
    });
    for (const [command, code] of [
      ["assign-ppa", 200],
      ["build-source", 300],
      ["build-image", 400],
      ["run-tests", 500],
      ["publish", 1000],
    ] as const) {
      expect(ci.run(command).code).toBe(0);
      expect(ci.ticket(id).step.code).toBe(code);
    }
    const landed = ci.ticket(id);
    expect(landed).toMatchObject({
      status: "done",
      archive_revision: 1,
      failure: null,
      ppa: null,
    });
    expect(landed.runs.map(({ outcome }) => outcome)).toEqual([
      "passed",
      "passed",
      "passed",
      "passed",
      "passed",
    ]);
    expect(landed.artifacts.every((file) => existsSync(ci.stored(file)))).toBe(
      true,
    );
    ci.ok("clean-ppas");
    expect(ci.ok("ppa", "list")).not.toMatch(/reserved|dirty/);
  });

  test("both spellings of a command work, as executables too", () => {
    create("hello");
    expect(ci.run("assign_ppa").code).toBe(0);
    expect(ci.run("build_source", "-v", "2").stderr).toContain(
      "build-source passed",
    );
  });

  test("a step with nothing to do says so and exits 0", () => {
    expect(ci.run("publish", "-v", "2")).toMatchObject({
      code: 0,
      stderr: "publish: nothing to do\n",
    });
  });

  test("a version that is in the archive is refused, and a higher one is not", () => {
    create("hello");
    ci.ok("land");
    const refusal = ci.run(
      "create_ticket",
      "-t",
      "again",
      "-s",
      ci.upload("hello", "1.0", program("hello")),
    );
    expect(refusal.code).toBe(2);
    expect(refusal.stderr).toContain("Version: 1.0 is not higher than 1.0");
    expect(ci.ok("status", "--json")).not.toContain("again");
    create("hello", "1.1");
    ci.ok("land");
    expect(ci.ticket("2").archive_revision).toBe(2);
  });

  test("tickets wait for each other, first in first out, higher priority first", () => {
    create("one");
    create("two");
    create("three", "1.0", "--priority", "5");
    expect(ci.ticket("3").queue_position).toBe(1);
    ci.ok("assign-ppa");
    expect(ci.ticket("3").step.code).toBe(200);
    expect(ci.run("assign-ppa", "--ticket", "1")).toMatchObject({
      code: 75,
      stderr: expect.stringContaining(
        "ticket 1 waits behind ticket 3",
      ) as string,
    });
    ci.ok("land");
    expect(["1", "2", "3"].map((id) => ci.ticket(id).status)).toEqual([
      "done",
      "done",
      "done",
    ]);
  });

  test("a draft waits until it is queued", () => {
    const id = create("hello", "1.0", "--wait");
    expect(ci.run("land").code).toBe(0);
    expect(ci.ticket(id).status).toBe("draft");
    ci.ok("update_ticket", id, "--queue", "--title", "now");
    ci.ok("land");
    expect(ci.ticket(id)).toMatchObject({ status: "done", title: "now" });
    expect(ci.run("update_ticket", id, "--hold").code).toBe(2);
  });

  test("--dry-run changes nothing", () => {
    const upload = ci.upload("hello", "1.0", program("hello"));
    expect(
      ci.ok("create_ticket", "--dry-run", "-t", "t", "-s", upload),
    ).toContain("source package hello 1.0");
    expect(ci.ok("status")).toBe("no tickets");
    create("hello");
    expect(ci.ok("land", "--dry-run")).toContain("reserve ci_pool-001");
    expect(ci.ticket("1").runs).toEqual([]);
  });
});

describe("a ticket that does not land", () => {
  test("the package's fault fails it at once, with the log as evidence, and gives the PPA back", () => {
    ci.remove();
    install({ fake: { builder: "fail" } });
    const id = create("hello");
    expect(ci.run("land").code).toBe(1);
    const ticket = ci.ticket(id);
    expect(ticket).toMatchObject({
      status: "failed",
      step: { code: 999 },
      ppa: null,
      failure: { kind: "package", step: { code: 200 } },
    });
    expect(
      ci.run("get_artifact", id, ticket.failure?.artifact ?? "none", "-o", "-")
        .code,
    ).toBe(0);
    expect(ci.ok("archive", "list", "--json")).toContain('"current": 0');
  });

  test("our own trouble is retried, then blamed on infrastructure", () => {
    ci.remove();
    install({
      fake: { tester: "tmpfail" },
      retry: { limit: 2, firstDelaySeconds: 0 },
    });
    const id = create("hello");
    expect(ci.run("land").code).toBe(75);
    expect(ci.ticket(id)).toMatchObject({
      status: "waiting",
      step: { code: 400 },
    });
    expect(ci.run("land").code).toBe(75);
    ci.run("land");
    expect(ci.ticket(id)).toMatchObject({
      status: "failed",
      ppa: null,
      failure: { kind: "infrastructure", step: { code: 400 } },
    });
    expect(
      ci.ticket(id).runs.filter(({ outcome }) => outcome === "tmpfail"),
    ).toHaveLength(3);
  });

  test("without a free PPA it waits and says so", () => {
    ci.remove();
    install({ ppa: { pool: 1 }, concurrency: 2 });
    create("one");
    create("two");
    ci.ok("assign-ppa");
    const waiting = ci.run("assign-ppa");
    expect(waiting.code).toBe(75);
    expect(ci.ticket("2")).toMatchObject({
      status: "waiting",
      waiting_for: "no PPA is free: 1 reserved",
    });
    ci.ok("land");
    expect(ci.ticket("2").status).toBe("done");
  });
});

describe("killed and held back", () => {
  test("a process that is killed in a step loses nothing: the next run takes over", () => {
    ci.remove();
    install({ fake: { builder: "kill" } });
    const id = create("hello");
    expect(ci.run("land").code).toBeNull();
    expect(ci.ticket(id).status).toBe("running");
    writeFileSync(join(ci.root, "config.json"), JSON.stringify(fakes));
    expect(ci.run("land").code).toBe(0);
    const ticket = ci.ticket(id);
    expect(ticket).toMatchObject({ status: "done", archive_revision: 1 });
    expect(
      ticket.runs.find(({ outcome }) => outcome === "tmpfail")?.reason,
    ).toMatch(/process \d+ on .* was gone/);
    expect(readdirSync(join(ci.state, "scratch"))).toEqual([]);
    expect(ci.ok("locks")).toBe("no locks");
  });

  test("a second copy leaves with 75 and says who is at work", async () => {
    ci.remove();
    const held = join(tmpdir(), `uci-held-${process.pid}`);
    writeFileSync(held, "");
    install({ fake: { builder: `hold@${held}` } });
    create("hello");
    const first = ci.start("land", "-v", "2");
    await once(first.stderr, "data");
    const second = ci.run("land");
    expect(second).toMatchObject({
      code: 75,
      stderr: expect.stringMatching(
        /land is running already: process \d+/,
      ) as string,
    });
    const exit = once(first, "exit");
    rmSync(held);
    expect(await exit).toEqual([0, null]);
  });

  test("maintenance.txt stops what changes something, reading goes on", () => {
    create("hello");
    writeFileSync(join(ci.state, "maintenance.txt"), "new disk\n");
    for (const command of [
      ["land"],
      ["assign-ppa"],
      ["clean-ppas"],
      ["update_ticket", "1", "-t", "x"],
    ]) {
      expect(ci.run(...command)).toMatchObject({
        code: 75,
        stderr: expect.stringContaining("new disk") as string,
      });
    }
    expect(ci.ticket("1").runs).toEqual([]);
    expect(ci.ok("maintenance")).toMatch(/^on since .*: new disk$/m);
    ci.ok("maintenance", "off");
    expect(ci.run("land").code).toBe(0);
  });
});

describe("the command line", () => {
  test.each([
    [["create_ticket"], "required option '-t, --title <title>' not specified"],
    [["status", "x"], "It must be the number of a ticket"],
    [["status", "99"], "there is no ticket 99"],
    [["frobnicate"], "unknown command 'frobnicate'"],
    [["land", "--until", "tea"], "It must be one of 100 (Queued)"],
    [
      ["create_ticket", "-t", "x", "-s", "/nowhere/a_1_source.changes"],
      "is missing",
    ],
    [["get_image", "99"], "there is no ticket 99"],
    [["log", "99"], "there is no ticket 99"],
    [["log", "99", "--follow"], "there is no ticket 99"],
    [["release-ppa", "--ticket", "99"], "there is no ticket 99"],
  ])("%j exits 2 and says why", (args, message) => {
    expect(ci.run(...args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(message) as string,
    });
  });

  test.each([["status"], ["log"], ["cancel", "1"], ["override", "1"]])(
    "a remote ticket system is refused for now: %j",
    (...args) => {
      expect(ci.run(...args, "-u", "http://localhost:1/")).toMatchObject({
        code: 78,
        stderr: expect.stringContaining(
          "remote ticket systems are not available yet",
        ) as string,
        stdout: "",
      });
    },
  );

  test.each([
    ["init", "-u", "http://localhost:1/"],
    ["ppa", "list", "--staging"],
    ["land", "--url=http://localhost:1/"],
    ["config", "-S"],
    ["completion", "bash", "-S"],
  ])("one that works on the installation has no remote: %j", (...args) => {
    expect(ci.run(...args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        `${args[0]} works on the installation on this machine`,
      ) as string,
      stdout: "",
    });
  });

  test("help is grouped by topic; a command's own options come first", () => {
    const all = ci.ok("help");
    expect(all).toBe(ci.ok("--help"));
    expect(all).toMatch(/^Tickets:\n {2}create_ticket/m);
    expect(all).toMatch(/^Steps:\n {2}land/m);
    const ofLand = ci.ok("help", "land");
    expect(ofLand).toBe(ci.ok("land", "--help"));
    expect(ofLand.indexOf("--until")).toBeLessThan(ofLand.indexOf("--json"));
    expect(ci.ok("help", "ppa", "add")).toContain("ubuntu-ci ppa add");
    expect(ci.run("help", "tea")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("unknown command 'tea'") as string,
    });
  });

  test("a wrong configuration is refused with every problem", () => {
    writeFileSync(
      join(ci.root, "config.json"),
      JSON.stringify({ builder: "magic", ppa: { pool: 0 }, nonsense: 1 }),
    );
    const { code, stderr } = ci.run("status");
    expect(code).toBe(78);
    expect(stderr).toContain("builder: must be one of session, sbuild, fake");
    expect(stderr).toContain("ppa.pool: must be a whole number from 1 to 999");
    expect(stderr).toContain("nonsense: there is no such setting");
  });

  test("a newer state file is refused", async () => {
    const { default: Database } = await import("better-sqlite3");
    const db = new Database(join(ci.state, "state.sqlite"));
    db.pragma("user_version = 999");
    db.close();
    expect(ci.run("status")).toMatchObject({
      code: 78,
      stderr: expect.stringContaining("newer version") as string,
    });
  });

  test("the report shows every ticket, and a second one writes nothing", () => {
    create("hello");
    ci.ok("land");
    const index = ci.ok("shepherd-report");
    expect(existsSync(index)).toBe(true);
    expect(existsSync(join(ci.state, "report/tickets/1/index.json"))).toBe(
      true,
    );
    expect(JSON.parse(ci.ok("shepherd-report", "--json"))).toMatchObject({
      written: 0,
    });
    rmSync(join(ci.state, "report"), { recursive: true });
    ci.ok("shepherd-report");
    expect(existsSync(index)).toBe(true);
  });

  test("a report writes the pages of what has changed, and all of them where it cannot tell", () => {
    create("hello");
    create("other");
    ci.ok("land");
    ci.ok("shepherd-report");
    const page = (path: string) => join(ci.state, "report", path, "index.html");
    const removed = ["tickets/1", "tickets/2", "packages/hello"].map(page);
    for (const file of removed) rmSync(file);
    ci.ok("shepherd-report");
    expect(removed.map((file) => existsSync(file))).toEqual([
      false,
      false,
      false,
    ]);
    // Held tickets are open: their pages follow the clock.
    create("other", "2.0", "--wait");
    ci.ok("shepherd-report");
    expect(readFileSync(page("packages/other"), "utf8")).toContain("2.0");
    expect(readFileSync(page("."), "utf8")).toContain("tickets/3/index.html");
    expect(existsSync(page("tickets/3"))).toBe(true);
    expect(existsSync(page("tickets/1"))).toBe(false);
    ci.ok("backup");
    ci.ok("shepherd-report");
    expect(existsSync(page("tickets/1"))).toBe(false);
    ci.ok("shepherd-report", "--all");
    expect(removed.map((file) => existsSync(file))).toEqual([true, true, true]);
  });

  test("a result that cannot be written is told from a full state (74)", () => {
    create("hello");
    const [artifact = ""] = ci.ticket("1").artifacts.map(({ name }) => name);
    for (const command of [
      ...["status >/dev/full", "config --json >&-", "--help >/dev/full"],
      `get_artifact 1 ${artifact} -o - >/dev/full`,
      ...["log >/dev/full", "log --follow >/dev/full"],
    ]) {
      const { status, stderr } = spawnSync(
        "sh",
        ["-c", `"$0" --state-dir "$1" --config "$2" ${command}`].concat(
          join(import.meta.dirname, "../bin/ubuntu-ci"),
          ci.state,
          join(ci.root, "config.json"),
        ),
        { encoding: "utf8", env: { ...process.env, HOME: ci.root } },
      );
      expect({ command, status }).toEqual({ command, status: 74 });
      expect(stderr).toMatch(
        /^ubuntu-ci: standard output cannot be written: .*\n$/,
      );
    }
  });

  test("a reader that has gone ends what only prints", () => {
    const { status, stdout } = spawnSync(
      "bash",
      [
        "-c",
        '"$0" --state-dir "$1" log --follow | head -n 1; echo "${PIPESTATUS[0]}"',
        join(import.meta.dirname, "../bin/ubuntu-ci"),
        ci.state,
      ],
      { encoding: "utf8", timeout: 20_000 },
    );
    expect(status).toBe(0);
    expect(stdout.trim().split("\n").at(-1)).toBe("74");
  });

  test("every verb has help with an example, too", () => {
    for (const line of [
      ...["ppa add", "ppa populate", "archive show", "archive revert"],
      ...["maintenance on", "maintenance wait", "uploaders list"],
    ])
      expect(ci.ok(...line.split(" "), "--help"), line).toContain("Examples:");
  });

  test("every command has help with its options and two examples", () => {
    for (const name of readdirSync(join(import.meta.dirname, "../bin")).filter(
      (file) => !file.startsWith("ubuntu-ci") && file !== "package.json",
    )) {
      const help = ci.ok(name, "--help");
      expect(help, name).toContain("--state-dir");
      expect(
        help.split("Examples:")[1]?.match(/ubuntu-ci /g)?.length ?? 0,
        name,
      ).toBeGreaterThanOrEqual(2);
    }
  });
});
