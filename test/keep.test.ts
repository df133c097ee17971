import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Database from "better-sqlite3";
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";

import type { Inconsistency } from "../src/lib/upkeep/fsck/inconsistency.ts";
import { ownName } from "../src/lib/files/own-folder.ts";
import { ofThisState } from "./support/expiry-plan.ts";
import { fakeBackends, Installation, program } from "./support/program.ts";

/** Backup, retention and fsck of the whole program, on fake backends. */
const fakes = {
  ...fakeBackends,
  concurrency: 4,
  retry: { firstDelaySeconds: 0 },
};

let ci: Installation;

function configure(config: object): void {
  writeFileSync(
    join(ci.root, "config.json"),
    JSON.stringify({ ...fakes, ...config }),
  );
}

const create = (name: string, version = "1.0") =>
  ci.ok(
    "create_ticket",
    "-t",
    `land ${name}`,
    "-s",
    ci.upload(name, version, program(name)),
  );

function sql<T>(work: (db: Database.Database) => T, state = ci.state): T {
  const db = new Database(join(state, "state.sqlite"), { timeout: 10_000 });
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/** Makes a ticket, and what it has, that many days older. */
function age(ticket: string, days: number): void {
  const at = new Date(Date.now() - days * 86_400_000).toISOString();
  sql((db) => {
    db.prepare("UPDATE artifact SET created_at = ? WHERE ticket = ?").run(
      at,
      ticket,
    );
    db.prepare("UPDATE ticket SET updated_at = ? WHERE id = ?").run(at, ticket);
  });
}

const at = (state: string, ...args: string[]) =>
  ci.run(...args, "--state-dir", state);

function okAt(state: string, ...args: string[]): string {
  const { code, stdout, stderr } = at(state, ...args);
  expect(stderr).toBe("");
  expect(code, stdout).toBe(0);
  return stdout.trim();
}

/** What killed processes would have left in a folder. */
const hidden = (folder: string) =>
  readdirSync(folder).filter((name) => name.startsWith("."));

function findings(...args: string[]): {
  code: number | null;
  all: Inconsistency[];
} {
  const { code, stdout, stderr } = ci.run("fsck", "--json", ...args);
  if (stdout === "") throw new Error(stderr);
  return {
    code,
    all: (JSON.parse(stdout) as { findings: Inconsistency[] }).findings,
  };
}

const clean = { code: 0, all: [] };

/** Runs a command that is killed at that point, whatever it was doing. */
function killedAt(point: string, ...args: string[]): void {
  process.env["UBUNTU_CI_CRASH_AT"] = point;
  try {
    expect([point, ci.run(...args)]).toEqual([
      point,
      expect.objectContaining({ code: null }),
    ]);
  } finally {
    delete process.env["UBUNTU_CI_CRASH_AT"];
  }
}

/** Runs a command with an empty disk of that size at a folder, and returns its exit code and files. */
function onSmallDisk(
  folder: string,
  size: string,
  ...args: string[]
): { code: number | null; stderr: string; left: string } {
  mkdirSync(folder, { recursive: true });
  const script =
    'mount -t tmpfs -o size="$2" tmpfs "$1" || exit 99; : >"$1/not-empty"; folder=$1; shift 2; "$@"; code=$?; find "$folder" -type f -size +0; exit $code';
  const { status, stdout, stderr } = spawnSync(
    "unshare",
    [
      ...["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"],
      ...[folder, size, join(import.meta.dirname, "../bin/ubuntu-ci")],
      ...args,
    ],
    { encoding: "utf8" },
  );
  return { code: status, stderr, left: stdout };
}

/** What every test begins with, made once: nothing landed, and one ticket landed. */
let empty: Installation;
let landed: Installation;

beforeAll(() => {
  empty = new Installation(fakes);
  empty.ok("init");
  empty.addUploader();
  landed = new Installation(fakes, undefined, empty);
  ci = landed;
  create("one");
  ci.ok("land");
  ci.ok("clean-ppas");
});
afterAll(() => {
  empty.remove();
  landed.remove();
});
beforeEach(() => {
  ci = new Installation(fakes, undefined, landed);
});
afterEach(() => ci.remove());

describe("backup and restore", () => {
  test("a copy made while a ticket lands comes back elsewhere, and goes on", async () => {
    configure({ fake: { tester: "slow@600000" } });
    // Whose keys are good for what comes back, too.
    ci.ok(
      "uploaders",
      "add",
      join(ci.root, "dev.asc"),
      "--packages",
      "t*",
      "one",
    );
    create("two");
    const landing = ci.start("land", "-v", "2");
    const ended = once(landing, "exit");
    while (ci.ticket("2").step.code !== 400 || ci.ticket("2").progress === null)
      expect(landing.exitCode).toBeNull();
    const file = ci.ok("backup");
    expect(file).toMatch(/state\/backups\/[0-9T.-]+Z\.tar\.zst$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(ci.ticket("2").status).toBe("running");
    configure({});
    landing.kill("SIGTERM");
    await ended;
    ci.ok("land");
    expect(ci.ticket("2").archive_revision).toBe(2);

    const restored = join(ci.root, "elsewhere");
    expect(okAt(restored, "restore", file)).toContain("restored the state of");
    expect(okAt(restored, "uploaders", "list")).toContain("only one, t*");
    // A state folder can be moved, too.
    const state = join(ci.root, "moved");
    renameSync(restored, state);
    expect(existsSync(join(state, "maintenance.txt"))).toBe(false);
    expect(existsSync(join(state, ".restore"))).toBe(false);
    expect(okAt(state, "archive", "list", "--json")).toContain('"current": 1');
    expect(okAt(state, "apt-source", "archive")).toContain("Types: deb");
    expect(okAt(state, "status")).toContain("one 1.0");
    expect(okAt(state, "fsck", "--digests")).toBe("all is well");
    const { artifacts } = ci.ticket("1");
    for (const { name } of artifacts)
      okAt(state, "get_artifact", "1", name, "-o", join(ci.root, name));
    // The ticket that was in flight lands there, too, and so does another.
    ci.ok("uploaders", "list");
    const upload = ci.upload("three", "1.0", program("three"));
    okAt(state, "create_ticket", "-t", "three", "-s", upload);
    okAt(state, "land");
    const { tickets } = JSON.parse(okAt(state, "status", "--json")) as {
      tickets: { status: string }[];
    };
    expect(tickets.map(({ status }) => status)).toEqual([
      "done",
      "done",
      "done",
    ]);
    okAt(state, "clean-ppas");
    expect(okAt(state, "fsck", "--digests")).toBe("all is well");
  });

  test("over a state only in maintenance, and the old one is set aside", () => {
    const file = ci.ok("backup", join(ci.root, "copy.tar.zst"));
    create("two");
    ci.ok("land");
    expect(ci.run("restore", file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("maintenance on") as string,
    });
    ci.ok("maintenance", "on");
    expect(ci.ok("restore", file, "--dry-run")).toContain("aside");
    expect(ci.ticket("2").status).toBe("done");
    ci.ok("restore", file);
    expect(ci.ok("status")).not.toContain("two");
    const [aside = ""] = readdirSync(join(ci.state, "set-aside"));
    expect(readdirSync(join(ci.state, "set-aside", aside))).toEqual(
      expect.arrayContaining(["archive", "state.sqlite", "store"]),
    );
    // Maintenance was not ours to end; numbers that were given out are not given again.
    expect(ci.run("land").code).toBe(75);
    ci.ok("maintenance", "off");
    expect(create("two")).toBe("3");
    ci.ok("land");
    expect(findings("--digests")).toEqual(clean);
  });

  test("killed in the middle, a backup leaves nothing, a restore goes on", () => {
    const file = join(ci.root, "copy.tar.zst");
    killedAt("backup.packed", "backup", file);
    expect(existsSync(file)).toBe(false);
    ci.ok("backup", file);
    killedAt("backup.placed", "backup", join(ci.root, "second.tar.zst"));
    expect(hidden(ci.root)).toEqual([]);
    expect(hidden(ci.state)).toEqual([]);
    ci.ok("maintenance", "on");
    sql((db) => db.prepare("UPDATE ticket SET title = 'spoilt'").run());
    for (const point of [
      "restore.begun",
      "restore.checked",
      "restore.set-aside:2",
      "restore.placed:1",
    ]) {
      killedAt(point, "restore", file);
      // Where the state file is away meanwhile, a reading command says so, and makes none.
      const isThere = existsSync(join(ci.state, "state.sqlite"));
      expect(ci.run("status").code).toBe(isThere ? 0 : 78);
      expect(existsSync(join(ci.state, "state.sqlite"))).toBe(isThere);
      if (point === "restore.begun")
        expect(findings().all[0]?.what).toContain("ended in the middle");
      ci.ok("restore", file);
      expect(ci.ticket("1").title).toBe("land one");
      expect(hidden(ci.state)).toEqual([]);
    }
    expect(findings("--digests")).toEqual(clean);
    expect(ci.run("land").code).toBe(75);
    const fresh = join(ci.root, "fresh");
    process.env["UBUNTU_CI_CRASH_AT"] = "restore.placed:3";
    expect(at(fresh, "restore", file).code).toBeNull();
    delete process.env["UBUNTU_CI_CRASH_AT"];
    // Nothing starts on half a state.
    expect(at(fresh, "land").code).toBe(75);
    okAt(fresh, "restore", file);
    okAt(fresh, "land");
    expect(okAt(fresh, "fsck", "--digests")).toBe("all is well");
  });

  test("on a full disk nothing is left of a backup or a restore", () => {
    const small = join(ci.root, "small");
    const config = ["--config", join(ci.root, "config.json")];
    const target = join(small, "copy.tar.zst");
    const backup = ["--state-dir", ci.state, ...config, "backup"];
    const packed = onSmallDisk(small, "8k", ...backup, target);
    expect(packed.stderr).toMatch(/No space left/);
    expect(packed).toMatchObject({ code: 75, left: "" });
    expect(hidden(ci.state)).toEqual([]);
    const file = ci.ok("backup");
    const restore = ["--state-dir", small, ...config, "restore", file];
    const unpacked = onSmallDisk(small, "100k", ...restore);
    expect(unpacked.stderr).toMatch(/No space left/);
    expect(unpacked).toMatchObject({ code: 75, left: "" });
  });

  test("folders of the state may be links, files may not", () => {
    const keys = join(ci.root, "keys");
    mkdirSync(join(keys, "private"), { recursive: true, mode: 0o700 });
    writeFileSync(join(keys, "private/one.key"), "secret", { mode: 0o600 });
    rmSync(join(ci.state, "gnupg"), { recursive: true, force: true });
    symlinkSync(keys, join(ci.state, "gnupg"));
    const store = join(ci.root, "big-disk");
    renameSync(join(ci.state, "store"), store);
    symlinkSync(store, join(ci.state, "store"));
    symlinkSync("/etc", join(store, "ticket.8"));
    const [first] = ci.ticket("1").artifacts;
    if (first === undefined) throw new Error("none");
    rmSync(ci.stored(first));
    symlinkSync("/etc/hostname", ci.stored(first));
    const { all, code } = findings("--mend");
    expect(code).toBe(1);
    expect(all.map(({ what }) => what)).toEqual([
      "it is not a regular file",
      "it does not belong to a ticket",
    ]);
    const backup = ci.run("backup", join(ci.root, "copy.tar.zst"));
    expect(backup.code).toBe(0);
    expect(backup.stderr).toContain(first.name);
    const state = join(ci.root, "elsewhere");
    const restored = at(state, "restore", join(ci.root, "copy.tar.zst"));
    expect(restored.code).toBe(0);
    expect(restored.stderr).toContain("was missing when the backup was made");
    const key = join(state, "gnupg/private/one.key");
    expect(readFileSync(key, "utf8")).toBe("secret");
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(state, "store"))).not.toContain("ticket.8");
  });

  test("a damaged backup is refused and changes nothing, a lost file is told of", () => {
    const [first, second] = ci.ticket("1").artifacts;
    if (first === undefined || second === undefined) throw new Error("none");
    appendFileSync(ci.stored(first), "rot");
    const file = ci.ok("backup");
    const state = join(ci.root, "elsewhere");
    const refused = at(state, "restore", file);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(first.name);
    expect(readdirSync(state).sort()).toEqual(["run"]);
    expect(at(state, "restore", file, "--despite-damage").code).toBe(0);
    rmSync(ci.stored(second));
    const incomplete = ci.run("backup", join(ci.root, "two.tar.zst"));
    expect(incomplete.code).toBe(0);
    expect(incomplete.stderr).toContain(second.name);
  });

  test("the state file alone is a backup, too", () => {
    const file = ci.ok("backup", "--database-only");
    expect(file).toMatch(/Z\.database\.tar\.zst$/);
    expect(at(join(ci.root, "elsewhere"), "restore", file).code).toBe(2);
    sql((db) => db.prepare("UPDATE ticket SET title = 'spoilt'").run());
    ci.ok("maintenance", "on");
    ci.ok("restore", file);
    expect(ci.ticket("1").title).toBe("land one");
    expect(findings("--digests")).toEqual(clean);
  });

  test.each([
    ["a way out", ["--transform=s,^evil,../evil,"]],
    [
      "an absolute name",
      ["--absolute-names", "--transform=s,^evil,/tmp/evil,"],
    ],
    ["something of ours elsewhere", ["--transform=s,^evil,run/evil,"]],
    ["a link out", []],
    ["a pipe", []],
    ["a hard link", []],
  ])("a tar with %s is refused", (what, options) => {
    const folder = join(ci.root, "evil");
    mkdirSync(join(folder, "store"), { recursive: true });
    const manifest = {
      format: 1,
      schema: 1,
      kind: "full",
      made_at: "2026",
      missing: [],
    };
    writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
    if (what === "a link out") symlinkSync("/etc", join(folder, "store/evil"));
    else if (what === "a pipe")
      execFileSync("mkfifo", [join(folder, "store/evil")]);
    else if (what === "a hard link") {
      writeFileSync(join(folder, "store/a"), "");
      linkSync(join(folder, "store/a"), join(folder, "store/evil"));
    } else writeFileSync(join(folder, "evil"), "evil");
    const file = join(ci.root, "evil.tar.zst");
    const more = options.length > 0 ? ["evil"] : ["store"];
    execFileSync(
      "tar",
      ["-c", "--zstd", "-f", file, ...options, "manifest.json", ...more],
      { cwd: folder, stdio: "pipe" },
    );
    const state = join(ci.root, "elsewhere");
    const refused = at(state, "restore", file);
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("do not belong in one") as string,
    });
    expect(existsSync(join(ci.root, "evil/evil/evil"))).toBe(false);
    expect(readdirSync(state)).toEqual(["run"]);
  });

  test("what is no backup is refused", () => {
    const file = join(ci.root, "none");
    writeFileSync(file, "nothing");
    const state = join(ci.root, "elsewhere");
    expect(at(state, "restore", file).code).toBe(2);
    expect(at(state, "restore", join(ci.root, "gone")).code).toBe(2);
    expect(ci.run("backup", file).code).toBe(2);
    expect(readFileSync(file, "utf8")).toBe("nothing");
    writeFileSync(
      join(ci.root, "manifest.json"),
      JSON.stringify({ format: 1, schema: 99, kind: "full", missing: [] }),
    );
    const newer = join(ci.root, "newer.tar.zst");
    execFileSync("tar", ["-c", "--zstd", "-f", newer, "manifest.json"], {
      cwd: ci.root,
    });
    const refused = at(state, "restore", newer, "--dry-run");
    expect(refused.code).toBe(78);
    expect(refused.stderr).toContain("made by a newer version");
  });
});

describe("expire", () => {
  const kept = (ticket: string) =>
    ci
      .ticket(ticket)
      .artifacts.filter((file) => existsSync(ci.stored(file)))
      .map(({ type }) => type);

  test("removes what is old, never the newest landing of a package, and says so", () => {
    create("one", "1.1");
    configure({ fake: { builder: "two=fail" } });
    create("two");
    ci.run("land");
    configure({});
    ci.ok("shepherd-report");
    sql((db) => db.prepare("UPDATE ppa SET state = 'dirty'").run());
    expect(ofThisState(ci.ok("expire", "--dry-run"))).toMatch(
      /^remove contents of PPA/,
    );
    ci.ok("expire");
    expect(ci.ok("ppa", "list")).not.toMatch(/dirty|cleaning|reserved/);
    expect(ofThisState(ci.ok("expire", "--dry-run"))).toBe("nothing to do");
    age("1", 31);
    age("2", 1000);
    age("3", 1000);
    expect(ofThisState(ci.ok("expire", "--dry-run"))).toMatch(
      /ticket 1: 1 images/,
    );
    expect(kept("1")).toContain("IMAGE");
    ci.ok("expire");
    expect(kept("1")).not.toContain("IMAGE");
    expect(kept("1")).toContain("LOGS");
    expect(kept("2")).toContain("IMAGE");
    // It failed, and is all that is known of its package.
    expect(kept("3")).toContain("LOGS");
    const image = ci.run("get_image", "1");
    expect(image.code).toBe(2);
    expect(image.stderr).toMatch(/expired on 20..-..-.. by policy/);
    expect(ci.ok("status", "1")).toMatch(/expired on 20..-..-.. by policy/);
    age("1", 400);
    ci.ok("expire");
    expect(kept("1")).toEqual([]);
    expect(existsSync(join(ci.state, "store/ticket.1"))).toBe(false);
    expect(readdirSync(join(ci.state, "report/tickets/1/files"))).toEqual([]);
    ci.ok("shepherd-report");
    expect(
      readFileSync(join(ci.state, "report/tickets/1/index.html"), "utf8"),
    ).toMatch(/expired on 20..-..-.. by policy/);
    // Once a ticket and kind, not once a file.
    const events = sql((db) =>
      db
        .prepare(
          "SELECT why FROM event WHERE subject = 'ticket' AND what = 'expired' ORDER BY id",
        )
        .pluck()
        .all(),
    );
    expect(events).toHaveLength(4);
    expect(ofThisState(ci.ok("expire", "--dry-run"))).toBe("nothing to do");
    expect(findings("--digests")).toEqual(clean);
  });

  test("goes on where it was killed, and leaves a ticket alone that is in flight again", () => {
    create("one", "1.1");
    ci.ok("land");
    age("1", 200);
    killedAt("expire.marked", "expire");
    sql((db) => db.prepare("UPDATE ticket SET step = 200 WHERE id = 1").run());
    ci.ok("expire");
    expect(kept("1")).toContain("LOGS");
    sql((db) => db.prepare("UPDATE ticket SET step = 1000").run());
    killedAt("expire.removed:2", "expire");
    ci.ok("expire");
    expect(kept("1")).not.toContain("LOGS");
    expect(kept("2")).toContain("LOGS");
    expect(ofThisState(ci.ok("expire", "--dry-run"))).toBe("nothing to do");
    ci.ok("clean-ppas");
    expect(findings()).toEqual(clean);
  });

  test("removes what dead processes left, and nothing of living ones", () => {
    const folder = join(ci.state, "scratch");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const host = execFileSync("hostname", { encoding: "utf8" }).trim();
    const name = (pid: number) =>
      `admission.${pid}-1-${boot}-${host.replaceAll(/[^A-Za-z0-9-]/g, "_")}.abcdef`;
    mkdirSync(join(folder, "run.77/session/upper"), { recursive: true });
    mkdirSync(join(folder, name(process.pid)));
    mkdirSync(join(folder, "admission.1-1-0-elsewhere.abcdef"));
    mkdirSync(join(ci.state, "layers", `.new.${name(1).slice(10)}`), {
      recursive: true,
    });
    // Nobody may cancel anything for months: its lock would stay.
    const lock = { pid: 1, boot_id: boot, host, process_start: "1" };
    const dead = {
      ...lock,
      name: "cancel",
      since: "2026",
      command: "cancel 1",
    };
    const run = join(ci.state, "run");
    writeFileSync(join(run, "cancel.pid"), JSON.stringify(dead));
    writeFileSync(join(run, ".retry.pid.00ff"), JSON.stringify(dead));
    const living = `${ownName(".tmp-")}.000001`;
    writeFileSync(join(run, name(1).replace("admission", ".tmp-")), "");
    writeFileSync(join(run, living), "");
    const handed = name(1).replace("admission", "ubuntu-ci-handed");
    mkdirSync(join(tmpdir(), handed, "0"), { recursive: true });
    // It may be another state's, with which nothing is wrong.
    expect(
      findings().all.filter(({ where }) => !where.startsWith(ci.state)),
    ).toEqual([]);
    expect(ofThisState(ci.ok("expire", "--dry-run"))).toContain(
      "remove the lock of a dead cancel",
    );
    ci.ok("expire");
    expect(existsSync(join(tmpdir(), handed))).toBe(false);
    expect(readdirSync(run).filter((file) => /\.pid|\.tmp/.test(file))).toEqual(
      [living],
    );
    expect(ci.ok("log", "-n", "20")).toMatch(
      /lock cancel .*taken over.* is gone: cancel 1/,
    );
    expect(readdirSync(folder)).toEqual(["admission.1-1-0-elsewhere.abcdef"]);
    expect(readdirSync(join(ci.state, "layers"))).toEqual([]);
  });

  test("removes old revisions with their files, old backups and copies of the state file", () => {
    configure({ expire: { revisions: 2, backups: 2 } });
    for (const version of ["1.1", "1.2", "1.3"]) {
      create("one", version);
      ci.ok("land");
    }
    ci.ok("archive", "revert", "2", "--reason", "a test");
    const revisions = join(ci.state, "archive/.revisions");
    for (const number of readdirSync(revisions)) {
      const file = join(revisions, number, "revision.json");
      const revision = JSON.parse(readFileSync(file, "utf8")) as object;
      writeFileSync(
        file,
        JSON.stringify({ ...revision, created_at: "2020-01-01T00:00:00Z" }),
      );
    }
    for (let count = 0; count < 3; count += 1) ci.ok("backup");
    for (const number of [2, 3, 10])
      writeFileSync(join(ci.state, `state.sqlite.before-${number}`), "");
    killedAt("expire.revision-gone", "expire");
    ci.ok("expire");
    // Revision 5 goes back to 2, which can be wanted again.
    expect(readdirSync(revisions).sort()).toEqual(["2", "4", "5"]);
    const pool = readdirSync(join(ci.state, "archive/pool/main/o/one"));
    expect(pool.filter((name) => name.endsWith(".dsc")).sort()).toEqual([
      "one_1.1.dsc",
      "one_1.3.dsc",
    ]);
    expect(readdirSync(join(ci.state, "backups"))).toHaveLength(2);
    expect(existsSync(join(ci.state, "state.sqlite.before-2"))).toBe(false);
    expect(existsSync(join(ci.state, "state.sqlite.before-10"))).toBe(true);
    expect(findings("--digests")).toEqual(clean);
    ci.ok("archive", "revert", "4", "--reason", "a test");
  });
});

describe("fsck", () => {
  /** Plants a damage, and tells what fsck says, before and after mending it. */
  function expectMended(what: RegExp): void {
    const { code, all } = findings();
    expect(all.map((finding) => finding.what)).toEqual(
      expect.arrayContaining([expect.stringMatching(what) as string]),
    );
    expect(code).toBe(1);
    const mended = findings("--mend");
    expect(mended.code).toBe(0);
    expect(mended.all.every((finding) => finding.mended)).toBe(true);
    expect(findings("--digests")).toEqual(clean);
  }
  const store = (...parts: string[]) => join(ci.state, "store", ...parts);
  function plantLayer(name: string, below: string[]): void {
    const folder = join(ci.state, "layers", name);
    mkdirSync(join(folder, "root"), { recursive: true });
    writeFileSync(join(folder, "base.tar.zst"), "");
    const kind = name.startsWith("build-deps")
      ? "build-deps"
      : name.split("-")[0];
    // The digest of nothing.
    const digest = `sha256:${createHash("sha256").digest("hex")}`;
    writeFileSync(
      join(folder, "layer.json"),
      JSON.stringify({ name, kind, below, series: "bookworm", digest }),
    );
  }

  test("mends what is safe to mend, and is content with it afterwards", () => {
    const [first, second] = ci.ticket("1").artifacts;
    writeFileSync(store("ticket.1", "stray"), "mine");
    writeFileSync(store("ticket.1", ".tmp-0123"), "half");
    mkdirSync(store("ticket.9"));
    writeFileSync(store("ticket.9", "lost"), "mine");
    const archive = join(ci.state, "archive");
    mkdirSync(join(archive, ".revisions/.tmp-0123/dists"), { recursive: true });
    mkdirSync(join(archive, ".revisions/7"));
    writeFileSync(join(archive, ".revisions/0/revision.json"), "{");
    writeFileSync(join(archive, "pool/main/o/one/other.deb"), "");
    mkdirSync(join(ci.state, "ppa/ci_other-001"), { recursive: true });
    mkdirSync(join(ci.state, "gnupg"), { recursive: true, mode: 0o755 });
    const layers = join(ci.state, "layers");
    const base = "base-bookworm-0123456789ab";
    plantLayer(base, []);
    plantLayer("build-deps-bookworm-01", [base]);
    plantLayer("build-deps-bookworm-02", ["base-bookworm-gone"]);
    plantLayer("image-ticket.7-01", [base]);
    mkdirSync(join(layers, "base-bookworm-ba9876543210"));
    sql((db) => {
      db.exec("DELETE FROM publication");
      db.exec("UPDATE artifact SET expired_at = '2026' WHERE type = 'LOGS'");
      db.exec(
        "UPDATE ppa SET state = 'reserved', ticket = 1 WHERE name = 'ci_pool-001'",
      );
    });
    const { code, all } = findings();
    for (const what of [
      /a file and no row/,
      /half written/,
      /never shown/,
      /revision 0 cannot be read/,
      /on disk and not in the pool/,
      /others may read it/,
      /half made/,
      /a layer below it is not there: base-bookworm-gone/,
      /no ticket's image has it/,
      /the state does not say so/,
      /expired, and is still there/,
      /reserved by a ticket that has ended/,
    ])
      expect(all.map((finding) => finding.what)).toContainEqual(
        expect.stringMatching(what),
      );
    expect(code).toBe(1);
    killedAt("fsck.mended:4", "fsck", "--mend");
    const mended = findings("--mend");
    expect(mended.all.filter((finding) => !finding.mended)).toEqual([]);
    expect(mended.code).toBe(0);
    expect(findings("--digests")).toEqual(clean);
    expect(existsSync(store("ticket.1", ".tmp-0123"))).toBe(false);
    const [aside = ""] = readdirSync(join(ci.state, "set-aside"));
    const moved = join(ci.state, "set-aside", aside, "store");
    expect(readFileSync(join(moved, "ticket.9/lost"), "utf8")).toBe("mine");
    expect(readdirSync(join(archive, ".revisions"))).toEqual(["1"]);
    expect(readdirSync(layers).sort()).toEqual([
      base,
      "build-deps-bookworm-01",
    ]);
    expect(
      [first, second].map((file) => file && existsSync(ci.stored(file))),
    ).toEqual([true, true]);
  });

  test("leaves to a person what cannot be made good", () => {
    const [first, second] = ci.ticket("1").artifacts;
    if (first === undefined || second === undefined) throw new Error("none");
    rmSync(ci.stored(first));
    const text = readFileSync(ci.stored(second));
    text[0] = (text[0] ?? 0) ^ 1;
    writeFileSync(ci.stored(second), text);
    const pool = join(ci.state, "archive/pool/main/o/one");
    rmSync(join(pool, readdirSync(pool)[0] ?? "none"));
    expect(findings().all).toHaveLength(2);
    const { code, all } = findings("--digests", "--mend");
    expect(all.map(({ what }) => what)).toEqual([
      expect.stringMatching(/a row and no file/) as string,
      expect.stringMatching(/its sha256 is/) as string,
      expect.stringMatching(/published and not there/) as string,
    ]);
    expect(code).toBe(1);
    expect(all.some(({ mended }) => mended)).toBe(false);
  });

  test("a current revision that is damaged or older than the state is left to a person", () => {
    sql((db) => db.prepare("UPDATE publication SET revision = 9").run());
    expect(findings().all[0]?.what).toContain("the state knows revision 9");
    writeFileSync(join(ci.state, "archive/.revisions/1/revision.json"), "{");
    const { code, all } = findings("--mend");
    expect(all[0]?.what).toContain("revision 1 cannot be read");
    expect(code).toBe(1);
  });

  test("what a ticket's step at work has not recorded yet is no stray", () => {
    create("two");
    sql((db) =>
      db
        .prepare(
          `INSERT INTO run (ticket, step, attempt, host, pid, boot_id, process_start, started_at, heartbeat_at)
           VALUES (2, 100, 1, 'elsewhere', 1, 'x', '1', ?, ?)`,
        )
        .run(new Date().toISOString(), new Date().toISOString()),
    );
    writeFileSync(store("ticket.2", "soon"), "");
    expect(findings()).toEqual(clean);
  });

  test("a PPA that is gone from under a ticket is filled again", () => {
    create("two");
    ci.ok("land", "--until", "build-source");
    const { ppa } = ci.ticket("2");
    rmSync(join(ci.state, "ppa", ppa ?? "none"), { recursive: true });
    expectMended(/the PPA of ticket 2 is not there/);
    ci.ok("land");
    expect(ci.ticket("2").status).toBe("done");
  });

  test("runs of dead processes are given up, a ticket that runs without one waits", () => {
    create("two");
    configure({ fake: { builder: "kill" } });
    ci.run("land");
    configure({});
    expectMended(/its process .* is gone/);
    sql((db) =>
      db.prepare("UPDATE ticket SET status = 'running' WHERE id = 2").run(),
    );
    expectMended(/there is no run/);
    ci.ok("land");
    expect(ci.ticket("2").status).toBe("done");
  });

  test("a damaged state file is told of, and what refers to nothing", () => {
    sql((db) => {
      db.pragma("foreign_keys = OFF");
      db.prepare("UPDATE subticket SET ticket = 99").run();
    });
    expect(findings().all[0]?.what).toContain("subticket");
    const file = join(ci.state, "state.sqlite");
    rmSync(`${file}-wal`, { force: true });
    writeFileSync(file, "x".repeat(100_000));
    const { code, all } = findings();
    expect(code).toBe(1);
    expect(all[0]?.remedy).toContain("restore");
  });
});

test("the push-button script makes a backup", () => {
  const script = join(import.meta.dirname, "../maintenance/backup");
  const file = execFileSync(script, ["--state-dir", ci.state], {
    encoding: "utf8",
    env: { ...process.env, HOME: ci.root },
  }).trim();
  const members = execFileSync("tar", ["--list", "--zstd", "--file", file], {
    encoding: "utf8",
  });
  expect(members.split("\n")[0]).toBe("manifest.json");
  expect(readlinkSync(join(ci.state, "archive/dists"))).toContain("/1/dists");
});

describe("what was taken out of the archive by a command that was killed", () => {
  test.each([
    ["undo", "2", "without revision 2", [null, 4, null, null]],
    ["revert", "1", "back to revision 1", [null, 4, 4, null]],
  ] as const)(
    "%s %s is found in any revision, and recorded",
    (verb, revision, words, undone) => {
      for (const name of ["two", "three"]) {
        create(name);
        ci.ok("land");
      }
      killedAt(
        "archive.taken-out",
        ...["archive", verb, revision, "--reason", "it breaks logins"],
      );
      const what = `revision 4 was made to be ${words}, the state does not say so`;
      expect(findings().all).toMatchObject([{ what, mendable: true }]);
      // A landing that follows does not hide it.
      create("four");
      ci.ok("land");
      expect(findings()).toMatchObject({ code: 1, all: [{ what }] });
      expect(findings("--mend").all).toMatchObject([{ what, mended: true }]);
      expect(findings()).toEqual(clean);
      expect(["1", "2", "3", "4"].map((id) => ci.ticket(id).undone_by)).toEqual(
        undone,
      );
      expect(ci.ok("archive", "list")).toMatch(
        new RegExp(`^4 .*${words}: the command was killed`, "m"),
      );
      // The newest revision that the state knows is not the one that was recorded last: it is still missed.
      const dists = join(ci.state, "archive/dists");
      rmSync(dists);
      symlinkSync(".revisions/4/dists", dists);
      expect(ci.run("publish", "--dry-run").stderr).toContain(
        "the state knows revision 5",
      );
    },
  );
});
