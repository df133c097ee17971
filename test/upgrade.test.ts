import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import Database from "better-sqlite3";
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  expect,
  test,
} from "vitest";

import { fakeBackends, Installation, program } from "./support/program.ts";

/**
 * A throw-away repository of this very project, and a checkout of it that is upgraded. Compiling
 * takes most of the time, so most commits have a build script that copies what is built here and
 * changes it a little; two are compiled for real.
 */
const here = resolve(import.meta.dirname, "..");

let kit: string;
let place: string;
let origin: string;
let ci: Installation;

const run = (cwd: string, ...argv: [string, ...string[]]) =>
  execFileSync(argv[0], argv.slice(1), {
    cwd,
    encoding: "utf8",
    stdio: "pipe",
  });
const git = (cwd: string, ...args: string[]) =>
  run(
    cwd,
    "git",
    "-c",
    "user.name=Dev",
    "-c",
    "user.email=dev@example.com",
    ...args,
  ).trim();

beforeAll(() => {
  kit = mkdtempSync(join(tmpdir(), "uci-kit-"));
  const source = join(kit, "source");
  mkdirSync(source);
  for (const name of [
    ...[".gitignore", "bin", "cron", "maintenance", "package-lock.json"],
    ...[
      "package.json",
      "src",
      "templates",
      "tsconfig.json",
      "tsconfig.build.json",
    ],
  ])
    run(kit, "cp", "-a", join(here, name), source);
  git(source, "init", "--quiet", "--initial-branch=main");
  git(source, "add", ".");
  git(source, "commit", "--quiet", "-m", "0.1.0");
  git(kit, "clone", "--quiet", "--bare", source, "origin.git");
  // Either may be a link to a folder elsewhere.
  run(kit, "cp", "-aH", join(here, "node_modules"), join(here, "dist"), kit);
  // It is to start from the modules, which the commits change.
  rmSync(join(kit, "dist/ubuntu-ci.cjs"));
});

afterAll(() => rmSync(kit, { recursive: true, force: true }));

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "uci-upgrade-"));
  origin = join(folder, "origin.git");
  place = join(folder, "ubuntu-ci");
  run(folder, "cp", "-a", join(kit, "origin.git"), origin);
  git(folder, "clone", "--quiet", origin, place);
  run(folder, "cp", "-al", join(kit, "node_modules"), join(kit, "dist"), place);
  install({});
});

afterEach(() => {
  ci.remove();
  rmSync(resolve(place, ".."), { recursive: true, force: true });
});

function install(config: object): void {
  ci = new Installation({ ...fakeBackends, ...config }, place);
  ci.ok("init");
  ci.addUploader();
}

const migration = "ALTER TABLE ticket ADD COLUMN mood TEXT";

/** What a commit's build does to the program as it is built here: lines for sh, in dist. */
const changes = {
  version: 'sed -i \'s/"[0-9.]*"/"0.2.0"/\' version.js',
  migration: `sed -i 's/^];/"${migration}",];/' lib/state/migrations.js`,
  brokenMigration: `sed -i 's/^];/"${migration}; SELECT nope",];/' lib/state/migrations.js`,
  doctor: `sed -i 's/notRoot(),$/notRoot(), bad("frobnicator", "is not installed", "apt-get install frobnicator"),/' lib/upkeep/doctor/doctor.js`,
  doctorInPlace: `sed -i 's/notRoot(),$/notRoot(), ...(process.argv.some((word) => word.includes(".upgrade-")) ? [] : [bad("place", "is wrong", "move")]),/' lib/upkeep/doctor/doctor.js`,
};

/** Pushes a commit to the origin whose build makes these changes; without any it compiles. */
function push(edit: (folder: string) => void, ...dist: string[]): string {
  const folder = mkdtempSync(join(resolve(place, ".."), "work-"));
  git(folder, "clone", "--quiet", origin, "tree");
  const tree = join(folder, "tree");
  const manifest = JSON.parse(
    readFileSync(join(tree, "package.json"), "utf8"),
  ) as { version: string; scripts: { build: string } };
  manifest.version = "0.2.0";
  if (dist.length > 0) {
    manifest.scripts.build = "sh build.sh";
    writeFileSync(
      join(tree, "build.sh"),
      `set -e\nrm -rf dist\ncp -a '${join(kit, "dist")}' dist\ncd dist\n${dist.join("\n")}\n`,
    );
  }
  writeFileSync(join(tree, "package.json"), JSON.stringify(manifest));
  edit(tree);
  git(tree, "add", ".");
  git(tree, "commit", "--quiet", "-m", "next");
  git(tree, "push", "--quiet", "origin", "HEAD:main");
  const commit = git(tree, "rev-parse", "HEAD");
  rmSync(folder, { recursive: true });
  return commit;
}
const nothing = () => undefined;

/** All of the state but the events about the program itself, to compare. */
function stateNow(): unknown {
  const db = new Database(join(ci.state, "state.sqlite"), { readonly: true });
  const tables = db
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .all();
  const rows = tables.map(({ name, sql }) => [
    sql,
    db
      .prepare(
        `SELECT * FROM ${name}${name === "event" ? " WHERE subject NOT IN ('program', 'maintenance')" : name === "log_export" ? " WHERE 0" : ""}`,
      )
      .all(),
  ]);
  db.close();
  return rows;
}
const schema = () => {
  const db = new Database(join(ci.state, "state.sqlite"), { readonly: true });
  const found = db.pragma("user_version", { simple: true }) as number;
  db.close();
  return found;
};
const programEvents = () => {
  const db = new Database(join(ci.state, "state.sqlite"), { readonly: true });
  const found = db
    .prepare<[], { what: string }>(
      "SELECT what FROM event WHERE subject = 'program' ORDER BY id",
    )
    .all();
  db.close();
  return found.map(({ what }) => what);
};
const create = (name: string) =>
  ci.ok(
    "create_ticket",
    "-t",
    name,
    "-s",
    ci.upload(name, "1.0", program(name)),
  );

const releases = () =>
  readdirSync(`${place}.releases`).filter((name) => /^2/.test(name));
/** The program before, which an upgrade keeps. */
const previous = () =>
  releases()
    .map((name) => join(`${place}.releases`, name))
    .find((folder) => folder !== realpathSync(place)) ?? "";

/** After a change that failed: maintenance is on, with what failed as its reason. */
function expectUndone(version: string): void {
  expect(ci.ok("maintenance")).toMatch(/: upgrade from .* failed while /);
  expect(ci.run("land").code).toBe(75);
  ci.ok("maintenance", "off");
  expectQuiet(version);
}

/** After whatever happened: one program in place that works, no toggle, nothing left over. */
function expectQuiet(version: string): void {
  expect(ci.ok("--version")).toBe(version);
  expect(ci.ok("maintenance")).toBe("off");
  expect(ci.run("land")).toMatchObject({ code: 0, stderr: "" });
  expect(realpathSync(place)).toMatch(/\.releases\/[-0-9T]+Z(?:-before)?$/);
  expect(releases().length).toBeLessThanOrEqual(2);
  expect(
    readdirSync(ci.state).filter((name) => name.startsWith(".upgrade-")),
  ).toEqual([]);
}

test("a newer commit is compiled while a ticket builds, and takes over when that is done", async () => {
  ci.remove();
  const held = join(resolve(place, ".."), "held");
  writeFileSync(held, "");
  install({ fake: { builder: `hold@${held}` } });
  create("hello");
  const commit = push((tree) => {
    writeFileSync(
      join(tree, "src/version.ts"),
      'export const version = "0.2.0";\n',
    );
  });
  const land = ci.start("land", "-v", "2");
  await once(land.stderr, "data");
  const upgrade = ci.start("upgrade", "-v", "2");
  let said = "";
  upgrade.stderr.on("data", (text: Buffer) => (said += text.toString()));
  await once(upgrade.stderr, "data");
  while (!said.includes("waiting for land")) await once(upgrade.stderr, "data");
  expect(ci.run("land")).toMatchObject({
    code: 75,
    stderr: expect.stringContaining("upgrade from 0.1.0") as string,
  });
  const ends = Promise.all([once(land, "exit"), once(upgrade, "exit")]);
  rmSync(held);
  const [landed, upgraded] = await ends;
  expect(landed).toEqual([0, null]);
  expect(upgraded, said).toEqual([0, null]);
  expect(ci.ticket("1")).toMatchObject({ status: "done", archive_revision: 1 });
  expectQuiet("0.2.0");
  expect(git(place, "rev-parse", "HEAD")).toBe(commit);
  expect(git(place, "status", "--porcelain", "--branch")).toBe(
    "## main...origin/main",
  );
  expect(readFileSync(join(previous(), "package.json"), "utf8")).toContain(
    '"0.1.0"',
  );
  expect(programEvents()).toEqual(["upgraded"]);
  expect(ci.ok("upgrade")).toContain("nothing to do");
});

test("a commit that does not compile changes nothing", () => {
  create("hello");
  const before = stateNow();
  push((tree) => {
    writeFileSync(
      join(tree, "src/version.ts"),
      'export const version: number = "0.2.0";\n',
    );
  });
  const { code, stderr } = ci.run("upgrade");
  expect(code).toBe(75);
  expect(stderr).toMatch(
    /failed while building 0\.2\.0 .*src\/version\.ts.*0\.1\.0 \([0-9a-f]{9}\) is in place again.*maintenance stays on: `.*maintenance off.*` ends it/s,
  );
  expect(stateNow()).toEqual(before);
  expectUndone("0.1.0");
});

test("a migration that fails, or a doctor that finds something missing, is found out on a copy", () => {
  create("hello");
  const before = stateNow();
  push(nothing, changes.version, changes.brokenMigration);
  expect(ci.run("upgrade")).toMatchObject({
    code: 75,
    stderr: expect.stringMatching(
      /trying 0\.2\.0 .* on a copy of the state.*no such column: nope/s,
    ) as string,
  });
  expect(stateNow()).toEqual(before);
  push(nothing, changes.version, changes.migration, changes.doctor);
  expect(ci.run("upgrade")).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(
      /frobnicator: is not installed.*apt-get install frobnicator/s,
    ) as string,
  });
  expect(stateNow()).toEqual(before);
  expect(releases()).toHaveLength(1);
  expectUndone("0.1.0");
});

test("a program that is found wrong in its place is swapped back, with the state of before", () => {
  create("hello");
  const before = stateNow();
  push(nothing, changes.version, changes.migration, changes.doctorInPlace);
  const { code, stderr } = ci.run("upgrade");
  expect(code).toBe(78);
  expect(stderr).toContain("place: is wrong");
  expect(stderr).toContain("is in place again, with the state as it was");
  expect(stateNow()).toEqual(before);
  expect(programEvents()).toEqual(["upgrade-undone"]);
  expectUndone("0.1.0");
});

test("what runs longer than the limit stops the upgrade, not the other way round", async () => {
  ci.remove();
  install({ fake: { builder: "slow@600000" } });
  create("hello");
  push(nothing, changes.version);
  const land = ci.start("land", "-v", "2");
  await once(land.stderr, "data");
  expect(ci.run("upgrade", "--wait", "0")).toMatchObject({
    code: 75,
    stderr: expect.stringMatching(
      /still running: land \(process \d+/,
    ) as string,
  });
  expect(ci.ok("maintenance")).toMatch(
    /failed while waiting for what runs: .*still running/,
  );
  // It is at work still, and goes on.
  expect(ci.ok("locks")).toContain("land");
  land.kill("SIGTERM");
  await once(land, "exit");
  expect(ci.ok("--version")).toBe("0.1.0");
});

test("what must be refused is refused before anything starts", () => {
  push(nothing, changes.version);
  expect(ci.ok("upgrade", "--dry-run")).toMatch(
    /check out main .*\n.*copy of the state/s,
  );
  expect(ci.run("upgrade", "--to", "v9")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      "there is no tag, branch or commit v9",
    ) as string,
  });
  expect(ci.run("upgrade", "--rollback")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      "no program of an upgrade to go back to",
    ) as string,
  });
  ci.ok("maintenance", "on", "--reason", "new disk");
  expect(ci.run("upgrade")).toMatchObject({
    code: 75,
    stderr: expect.stringContaining("new disk") as string,
  });
  expect(ci.ok("maintenance")).toContain("new disk");
  ci.ok("maintenance", "off");
  writeFileSync(join(place, "README"), "mine");
  expect(ci.run("upgrade")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("uncommitted changes: README") as string,
  });
  rmSync(join(place, "README"));
  const parent = resolve(place, "..");
  if (process.getuid?.() !== 0) {
    chmodSync(parent, 0o555);
    expect(ci.run("upgrade")).toMatchObject({
      code: 78,
      stderr: expect.stringContaining("cannot be written") as string,
    });
    chmodSync(parent, 0o755);
  }
  rmSync(join(ci.state, "state.sqlite"));
  expect(ci.run("upgrade")).toMatchObject({
    code: 78,
    stderr: expect.stringContaining("state.sqlite is missing") as string,
  });
  expect(releases()).toEqual([]);
});

test("it goes back with the state of then, unless something happened since", () => {
  create("hello");
  const old = schema();
  push(nothing, changes.version, changes.migration);
  ci.ok("upgrade");
  expectState("0.2.0", old + 1);
  ci.ok("upgrade", "--rollback");
  expectState("0.1.0", old);
  // Back and forth: the other one is the previous one now.
  ci.ok("upgrade", "--rollback");
  expectState("0.2.0", old + 1);
  create("other");
  expect(ci.run("upgrade", "--rollback")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /[1-9][0-9]* events since .* would be lost/,
    ) as string,
  });
  ci.ok("upgrade", "--rollback", "--force");
  expectState("0.1.0", old);
  expect(ci.run("status", "2").code).toBe(2);
  expectQuiet("0.1.0");
});

function expectState(version: string, expected: number): void {
  expect(ci.ok("--version")).toBe(version);
  expect(schema()).toBe(expected);
}

test("a tarball is unpacked, if it stays inside its folder", () => {
  const parent = resolve(place, "..");
  push(nothing, changes.version);
  const tarball = join(parent, "next.tar.gz");
  git(
    parent,
    "--git-dir",
    origin,
    "archive",
    "--prefix=ubuntu-ci-0.2.0/",
    `--output=${tarball}`,
    "main",
  );
  const evil = join(parent, "evil");
  mkdirSync(evil);
  symlinkSync("/etc/passwd", join(evil, "README"));
  writeFileSync(
    join(evil, "package.json"),
    '{"name": "ubuntu-ci", "version": "6"}',
  );
  run(evil, "tar", "--create", "--file", join(parent, "evil.tar"), ".");
  expect(ci.run("upgrade", "--to", join(parent, "evil.tar"))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("link README leaves its folder") as string,
  });
  run(
    evil,
    "tar",
    "--create",
    "--file",
    join(parent, "evil.tar"),
    "--transform",
    "s,package,../package,",
    "package.json",
  );
  expect(ci.run("upgrade", "--to", join(parent, "evil.tar"))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      "leaves its folder: ../package.json",
    ) as string,
  });
  expectUndone("0.1.0");
  ci.ok("upgrade", "--to", tarball);
  expectQuiet("0.2.0");
  expect(ci.run("upgrade")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("is not a git checkout") as string,
  });
});

test("a link to a folder elsewhere is led to a release, and back", () => {
  const versioned = `${place}-0.1.0`;
  renameSync(place, versioned);
  symlinkSync("ubuntu-ci-0.1.0", place);
  push(nothing, changes.version, changes.migration);
  ci.ok("upgrade");
  expectQuiet("0.2.0");
  ci.ok("upgrade", "--rollback");
  expect(readlinkSync(place)).toBe("ubuntu-ci-0.1.0");
  expect(ci.ok("--version")).toBe("0.1.0");
  ci.ok("upgrade", "--rollback");
  expectQuiet("0.2.0");
});

test("killed while a plain folder becomes a release, that release goes on", async () => {
  push(nothing, changes.version);
  const upgrade = ci.start("upgrade", "-v", "2");
  let said = "";
  upgrade.stderr.on("data", (text: Buffer) => {
    said += text.toString();
    if (said.includes("\ngetting ")) upgrade.kill("SIGKILL");
  });
  expect(await once(upgrade, "exit"), said).toEqual([null, "SIGKILL"]);
  // As it is between the two renames.
  const release = realpathSync(place);
  rmSync(place);
  run(
    ci.root,
    join(release, "bin/ubuntu-ci"),
    ...["--state-dir", ci.state, "--config", join(ci.root, "config.json")],
    "upgrade",
  );
  expectQuiet("0.2.0");
});

test("what a version without releases left half done, is left to that version", () => {
  push(nothing, changes.version);
  const work = `${place}.upgrade`;
  mkdirSync(join(work, "new-1"), { recursive: true });
  writeFileSync(
    join(work, "journal.json"),
    JSON.stringify({ id: "1", phase: "changing", old_path: place }),
  );
  expect(ci.run("upgrade")).toMatchObject({
    code: 75,
    stderr: expect.stringContaining(
      `${work}/new-1/bin/ubuntu-ci upgrade`,
    ) as string,
  });
});

/** Each time it is killed ten times; `npm run crash:real` does so more often. */
const rounds = Math.ceil(Number(process.env["UBUNTU_CI_TEST_KILLS"] ?? 1) / 10);

test.each(Array.from({ length: rounds }, (_, index) => index + 1))(
  "killed at any stage and run again, it undoes or finishes, time %i",
  async () => {
    create("hello");
    const old = schema();
    push(nothing, changes.version, changes.migration);
    const stages = [
      ...["moving", "switching", "getting", "installing", "building"],
      ...["copying", "trying", "migrating", "swapping", "checking"],
    ];
    for (const stage of stages) {
      const upgrade = ci.start("upgrade", "-v", "2");
      let said = "";
      upgrade.stderr.on("data", (text: Buffer) => {
        said += text.toString();
        if (said.includes(`\n${stage} `)) upgrade.kill("SIGKILL");
      });
      expect(await once(upgrade, "exit"), `${stage}: ${said}`).toEqual([
        null,
        "SIGKILL",
      ]);
      // There is always a program in place, and nothing starts meanwhile.
      expect(["0.1.0", "0.2.0"]).toContain(ci.ok("--version"));
      // On a busy machine the kill comes when the next stage has begun.
      const reached = stages.findLast((one) => said.includes(`\n${one} `));
      if (reached !== "switching") expect(ci.run("land").code, said).toBe(75);
    }
    ci.ok("upgrade");
    expectState("0.2.0", old + 1);
    expectQuiet("0.2.0");
    expect(readdirSync(join(ci.state, "backups"))).toHaveLength(1);
    // What was left when the new program was found good is finished with it.
    const journal = join(`${place}.releases`, "journal.json");
    const done = JSON.parse(readFileSync(journal, "utf8")) as { from: string };
    writeFileSync(journal, JSON.stringify({ ...done, phase: "finishing" }));
    ci.ok(
      "maintenance",
      "on",
      "--reason",
      `upgrade from ${done.from} to 0.2.0`,
    );
    expect(ci.ok("upgrade")).toContain("finished what was interrupted");
    expectQuiet("0.2.0");
    expect(programEvents().filter((what) => what === "upgraded")).toHaveLength(
      1,
    );
  },
);
