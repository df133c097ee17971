import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Ended } from "./support/program.ts";
import { fakeBackends, Installation, program } from "./support/program.ts";

/**
 * What uploads, builds and people may have left in the state, from before it was refused: it reaches
 * no terminal, mail, log line or page as a command. The rows are changed by hand.
 */

/** A window's title, a cleared screen (in two ways), another line, a text turned around, a hidden blank. */
const hostile = (what: string) =>
  `${what}\u001b]0;owned\u0007\u001b[2J\u009b2J\r\nubuntu-ci: forged ${what}\u202etxt\u2028\u200b\u007f`;
const seen = String.raw`\x1b]0;owned\x07\x1b[2J\x9b2J`;

/** All that no text may have that somebody sees; the line's end and the tab are our own. */
const never =
  // eslint-disable-next-line no-control-regex -- that is what must not be there
  /[\0-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

let ci: Installation;

beforeAll(() => {
  ci = new Installation({
    ...fakeBackends,
    fake: { tester: "hello=fail" },
    maintenance: { warnAfterMinutes: 1 },
  });
  ci.ok("init");
  ci.addUploader();
  for (const name of ["hello", "waiting"])
    ci.ok(
      ...["create_ticket", "-t", name, "-w"],
      ...["-s", ci.upload(name, "1", program(name))],
    );
  ci.ok("update_ticket", "1", "--queue");
  ci.run("land", "--ticket", "1");
  ci.ok(
    ...["override", "1", "--ignore-test", "hello/works"],
    ...["--reason", "for now"],
  );
  makeHostile();
  writeFileSync(
    join(ci.state, "run/land.pid"),
    JSON.stringify({
      ...{ pid: 1, host: hostname(), boot_id: "", process_start: "" },
      ...{ name: hostile("lock"), since: "2026-01-01T00:00:00.000Z" },
      command: hostile("command line"),
    }),
  );
});
afterAll(() => ci.remove());

/** Every text in the state that is not ours, for both tickets. */
function makeHostile(): void {
  const db = new Database(join(ci.state, "state.sqlite"));
  const set = (table: string, ...columns: string[]) => {
    for (const column of columns)
      db.prepare(`UPDATE ${table} SET ${column} = ? || rowid`).run(
        hostile(`${table}.${column}`),
      );
  };
  set("person", "name", "email");
  set("ticket", "title", "description", "bug", "waiting_for");
  db.prepare("UPDATE ticket SET failure_reason = ? WHERE id = 1").run(
    hostile("reason"),
  );
  set("source_package_upload", "version", "changed_by");
  set("source_package", "name");
  set("override", "reason", "actor");
  set("test_result", "name", "detail", "package");
  set("run", "reason");
  db.prepare("UPDATE subticket SET binaries = ?").run(
    JSON.stringify([hostile("binary")]),
  );
  const log = join(ci.state, "store/ticket.1/evil.html");
  mkdirSync(join(log, ".."), { recursive: true });
  writeFileSync(log, `<script>alert(1)</script>${hostile("log")}`);
  const content = readFileSync(log);
  const artifact = db.prepare(
    `INSERT INTO artifact (ticket, name, type, container, size, sha256, created_at)
     VALUES (1, ?, 'LOGS', 'ticket.1', ?, ?, '2026-01-01T00:00:00.000Z')`,
  );
  const digest = createHash("sha256").update(content).digest("hex");
  artifact.run("evil.html", content.length, digest);
  artifact.run(hostile("artifact"), 1, digest);
  db.prepare(
    "UPDATE ticket SET failure_artifact = 'evil.html' WHERE id = 1",
  ).run();
  for (const id of [1, 2])
    db.prepare(
      `INSERT INTO event (at, actor, subject, subject_id, what, why, ticket)
       VALUES ('2026-01-01T00:00:00.000Z', ?, 'ticket', ?, ?, ?, ?)`,
    ).run(hostile("actor"), String(id), hostile("what"), hostile("why"), id);
  db.close();
}

function expectClean({ stdout, stderr }: Ended): void {
  expect(stdout).not.toMatch(never);
  expect(stderr).not.toMatch(never);
  // Nothing began a line of its own.
  expect(`${stdout}\n${stderr}`).not.toMatch(/^ubuntu-ci: forged/m);
}

describe("texts in the state", () => {
  test.each([
    [["status"]],
    [["status", "--open"]],
    [["status", "1"]],
    [["status", "2"]],
    [["explain", "1"]],
    [["explain", "2"]],
    [["log"]],
    [["log", "1"]],
    [["locks"]],
    [["override", "1"]],
    [["retry", "1", "--dry-run"]],
    [["cancel", "2", "--dry-run"]],
    [["update_ticket", "2", "--queue", "--dry-run"]],
    [["get_artifact", "1", "none"]],
    [["fsck"]],
    [["land", "--dry-run"]],
  ])("%j shows what was hidden", (args) => {
    const ended = ci.run(...args);
    expect([0, 1, 2, 75]).toContain(ended.code);
    expectClean(ended);
    const json = ci.run(...args, "--json");
    expectClean(json);
    if (json.stdout !== "") JSON.parse(json.stdout);
  });

  test("people see them as what they are, and programs get them unchanged", () => {
    expect(ci.ok("status", "1")).toContain(`ticket 1: ticket.title${seen} `);
    expect(ci.ok("status", "1")).toContain(`  person.email${seen}`.trim());
    expect(ci.ok("log", "1")).toContain(`why${seen}`);
    expect(ci.ok("locks")).toContain(`command line${seen}`);
    expect(ci.ok("override", "1")).toContain(`override.reason${seen}`);
    expect(ci.ticket("1").title).toBe(`${hostile("ticket.title")}1`);
  });

  test("the command that shows the evidence can be pasted", () => {
    const db = new Database(join(ci.state, "state.sqlite"));
    const set = db.prepare(
      "UPDATE ticket SET failure_artifact = ? WHERE id = 1",
    );
    set.run("a b; id #.log");
    for (const command of ["status", "explain"])
      expect(ci.ok(command, "1")).toContain(
        "ubuntu-ci get_artifact 1 'a b; id #.log' -o -",
      );
    set.run("evil.html");
    db.close();
  });

  test("`log --follow` shows them so, too", async () => {
    const follower = ci.start("log", "--follow");
    let shown = "";
    const until = async (what: string) => {
      while (!shown.includes(what)) {
        const [chunk] = (await once(follower.stdout, "data")) as [Buffer];
        shown += chunk.toString();
      }
    };
    await until("why");
    appendFileSync(
      join(ci.state, "log/ubuntu-ci.log"),
      `${JSON.stringify({
        ...{ at: "2027-01-01T00:00:00.000Z", id: null, actor: hostile("who") },
        ...{ subject: "ticket", subject_id: "1", ticket: 1, run: null },
        ...{ step: null, what: hostile("did"), from: null, to: null },
        why: hostile("followed"),
      })}\n`,
    );
    await until("followed");
    const exit = once(follower, "exit");
    follower.kill("SIGINT");
    await exit;
    expectClean({ code: 0, stdout: shown, stderr: "" });
    expect(shown).toContain(`followed${seen}`);
  });

  test("the log file has them escaped", () => {
    ci.ok("update_ticket", "2", "--priority", "3");
    const lines = readFileSync(join(ci.state, "log/ubuntu-ci.log"), "utf8");
    const ours = lines
      .split("\n")
      .filter((line) => !line.includes("followed"))
      .join("\n");
    expect(ours).toContain("forged source_package");
    expect(ours).not.toMatch(never);
  });

  test("the report shows them, in pages and in their data, and publishes no page of theirs", () => {
    const output = join(ci.root, "site");
    expectClean(ci.run("shepherd-report", "--output", output));
    const files = readdirSync(output, { recursive: true, encoding: "utf8" });
    const pages = files.filter((name) => /\.(?:html|json)$/.test(name));
    expect(pages.length).toBeGreaterThan(10);
    for (const name of pages)
      expect([
        name,
        never.exec(readFileSync(join(output, name), "utf8")),
      ]).toEqual([name, null]);
    expect(
      readFileSync(join(output, "tickets/1/index.html"), "utf8"),
    ).toContain(`ticket.title${seen}`);
    for (const name of files.filter((path) => path.includes("/files/")))
      expect(name).toMatch(/\.(?:txt|bin|json|deb|tar\.[a-z0-9]+)$/);
    expect(files).toContain("tickets/1/files/evil_html.bin");
    expect(files.filter((name) => name.endsWith(".html"))).toEqual(
      files.filter((name) => /(?:^|\/)index\.html$/.test(name)),
    );
  });
});

describe("texts that are given", () => {
  const evil = hostile("given");
  test.each([
    [[evil]],
    [["status", evil]],
    [["status", "--step", evil]],
    [["status", `--${evil}`]],
    [["get_artifact", "1", evil]],
    [["create_ticket", "-t", "x", "-s", `/nowhere/${evil}.changes`]],
    [
      [
        "create_ticket",
        "-t",
        evil,
        "-d",
        evil,
        "-o",
        evil,
        "-b",
        evil,
        "-s",
        "x",
      ],
    ],
    [["update_ticket", "2", "-t", "\u001b[2J"]],
    [["update_ticket", "2", "-b", "https://bugs.example.org/\u001b[2J"]],
    [["cancel", "2", "--reason", evil]],
    [["override", "2", "--ignore-step", "run-tests", "--reason", evil]],
    [["override", "2", "--ignore-test", evil, "--reason", "because"]],
    [["maintenance", "on", "--reason", evil]],
    [["uploaders", "add", `/nowhere/${evil}`]],
    [["uploaders", "remove", evil]],
    [["ppa", "add", evil]],
    [["config", evil]],
    [["apt-source", evil]],
  ])("%j is refused without an echo", (args) => {
    const ended = ci.run(...args);
    expect([2, 78]).toContain(ended.code);
    expectClean(ended);
    expect(ended.stderr).toMatch(/\\(?:x|u00)1b/);
  });

  test("all of them at once, each by its name", () => {
    const { stderr } = ci.run(
      ...["create_ticket", "-t", "a\u001b[31mb", "-d", "one\ntwo\u0007"],
      ...["-o", "a\u200bb@example.org", "-b", "https://x/\u202e", "-s", "x"],
    );
    for (const option of ["--title", "--description", "--owner", "--bug"])
      expect(stderr).toContain(`\n  ${option}: `);
  });

  test("a description may have lines, a reason becomes one", () => {
    ci.ok("update_ticket", "2", "-d", "one\n\ttwo");
    expect(ci.ticket("2").description).toBe("one\n\ttwo");
    expect(ci.ok("status", "2")).toContain("\n  one two\n");
    ci.ok("maintenance", "on", "--reason", "a new\ndisk");
    expect(ci.ok("maintenance", "status")).toContain(": a new disk");
    ci.ok("maintenance", "off");
  });

  test("a state folder, and a configuration with all that is wrong in it", () => {
    const odd = join(ci.root, `odd\u001b[2J\u202e`);
    expectClean(ci.run("--state-dir", odd, "status"));
    const file = `${odd}.json`;
    for (const text of [
      `{"\\u001b[2J\\u202e": 1, "builder": "\u009b2J"}`,
      `{ "builder": \u001b[2J }`,
    ]) {
      writeFileSync(file, text);
      const ended = ci.run("--config", file, "status");
      expect(ended.code).toBe(78);
      expectClean(ended);
      expect(ended.stderr).toContain(String.raw`\x1b[2J`);
    }
  });

  test("maintenance.txt, on the terminal, under cron, in check and in the report", () => {
    writeFileSync(join(ci.state, "maintenance.txt"), hostile("disk"));
    for (const args of [
      ["maintenance"],
      ["land"],
      ["check"],
      ["check", "--json"],
      ["check", "--prometheus"],
    ])
      expectClean(ci.run(...args));
    ci.env["UBUNTU_CI_CRON"] = "1";
    expectClean(ci.run("land"));
    expectClean(ci.run("shepherd-report"));
    expectClean(ci.run("land", "--config", `/nowhere/${evil}`));
    delete ci.env["UBUNTU_CI_CRON"];
    expect(ci.ok("maintenance")).toContain(`disk${seen}`);
    expect(
      readFileSync(join(ci.state, "report/health/index.html"), "utf8"),
    ).not.toMatch(never);
    ci.ok("maintenance", "off");
  });

  test("the user id of a key", () => {
    const home = join(ci.root, "evil-key");
    mkdirSync(home, { mode: 0o700 });
    const gpg = (...args: string[]) =>
      execFileSync("gpg", ["--homedir", home, "--batch", "--quiet", ...args], {
        stdio: ["ignore", "pipe", "ignore"],
      });
    gpg(
      ...["--passphrase", "", "--allow-freeform-uid", "--quick-generate-key"],
      ...[
        "Eve\u202e \u009b2J <eve@example.org>",
        "default",
        "default",
        "never",
      ],
    );
    writeFileSync(`${home}.asc`, gpg("--armor", "--export"));
    spawnSync("gpgconf", ["--homedir", home, "--kill", "all"]);
    expectClean(ci.run("uploaders", "add", `${home}.asc`, "--dry-run"));
    expectClean(ci.run("uploaders", "add", `${home}.asc`));
    expectClean(ci.run("uploaders", "list"));
    expectClean(ci.run("uploaders", "list", "--json"));
  });

  test("an upload whose Changed-By would", () => {
    const changes = ci.upload("hello", "2", program("hello"));
    const [, signed = ""] =
      /\n\n([^]*)-----BEGIN PGP SIGNATURE/.exec(
        readFileSync(changes, "utf8"),
      ) ?? [];
    writeFileSync(
      `${changes}.text`,
      signed.replace(
        /^Changed-By: .*$/m,
        "Changed-By: Dev\u001b[2J <dev@example.com>",
      ),
    );
    execFileSync("gpg", [
      ...["--homedir", join(ci.root, "gnupg"), "--batch", "--quiet", "--yes"],
      ...["--output", changes, "--clearsign", `${changes}.text`],
    ]);
    const ended = ci.run("create_ticket", "-t", "x", "-s", changes);
    expect(ended.code).toBe(2);
    expectClean(ended);
    expect(ended.stderr).toContain(String.raw`Dev\x1b[2J`);
  });
});

describe("on a terminal", () => {
  /** What a terminal gets: stdout, stderr and all. */
  const onTerminal = (...args: string[]): string => {
    const command = [
      join(import.meta.dirname, "../bin/ubuntu-ci"),
      ...["--state-dir", ci.state, "--config", join(ci.root, "config.json")],
      ...args,
    ];
    const quoted = command
      .map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`)
      .join(" ");
    return spawnSync("script", ["-qec", quoted, "/dev/null"], {
      encoding: "utf8",
      env: {
        ...process.env,
        ...{ HOME: ci.root, NO_COLOR: "", TERM: "xterm" },
        // chalk gives a CI no colours, whatever its terminal.
        CI: undefined,
      },
    }).stdout;
  };
  /** Our own colours, and the line's end as a terminal has it. */
  const colours = new RegExp(
    `${String.fromCharCode(0x1b)}\\[[0-9;]*m|\\r\\n`,
    "g",
  );

  test("our own colours are all there is", () => {
    for (const args of [
      ["log"],
      ["status", "\u001b[2J"],
      ["get_artifact", "1", "\u001b]0;X\u0007"],
    ]) {
      const shown = onTerminal(...args);
      expect(shown).toMatch(colours);
      expect(shown.replaceAll(colours, "\n")).not.toMatch(never);
    }
    expect(onTerminal("log")).toContain("\u001b[2m2026");
  });

  test("an artifact is shown like any other text there; a pipe gets the very bytes", () => {
    const shown = onTerminal("get_artifact", "1", "evil.html", "-o", "-");
    expect(shown).toContain(`alert(1)</script>log${seen}`);
    expect(shown.replaceAll("\r\n", "\n")).not.toMatch(never);
    expect(ci.run("get_artifact", "1", "evil.html", "-o", "-").stdout).toBe(
      `<script>alert(1)</script>${hostile("log")}`,
    );
  });

  test("a binary is not", () => {
    const image = join(ci.state, "store/ticket.1/evil.html");
    const before = readFileSync(image);
    const binary = Buffer.from("a\0b");
    writeFileSync(image, binary);
    const db = new Database(join(ci.state, "state.sqlite"));
    const set = db.prepare(
      "UPDATE artifact SET size = ?, sha256 = ? WHERE name = 'evil.html'",
    );
    const digest = (of: Buffer) =>
      createHash("sha256").update(of).digest("hex");
    set.run(binary.length, digest(binary));
    expect(onTerminal("get_artifact", "1", "evil.html", "-o", "-")).toContain(
      "evil.html is a binary file",
    );
    writeFileSync(image, before);
    set.run(before.length, digest(before));
    db.close();
  });
});
