import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";

import { ofThisState } from "../../../test/support/expiry-plan.ts";
import { InProcess, saying } from "../../../test/support/in-process.ts";
import type { Inconsistency } from "../../lib/upkeep/fsck/inconsistency.ts";

/** Keeping a state for years: backup, restore, expire, fsck. */
let template: InProcess;
let ci: InProcess;

beforeAll(async () => {
  template = await InProcess.init();
  await template.create("one");
  await template.ok("land");
});
afterAll(() => template.remove());
beforeEach(() => {
  ci = template.copy();
});
afterEach(() => ci.remove());

const at = (state: string, ...args: string[]) =>
  ci.run(...args, "--state-dir", state);

async function findings(...args: string[]) {
  const { code, document } = await ci.json("fsck", ...args);
  const { findings: all } = document as { findings: Inconsistency[] };
  return { code, whats: all.map(({ what }) => what), all };
}

const clean = { code: 0, whats: [], all: [] };

/** Makes a ticket, and what it has, that many days older. */
function age(ticket: number, days: number): void {
  const then = new Date(Date.now() - days * 86_400_000).toISOString();
  ci.sql("UPDATE artifact SET created_at = ? WHERE ticket = ?", then, ticket);
  ci.sql("UPDATE ticket SET updated_at = ? WHERE id = ?", then, ticket);
}

describe("backup and restore", () => {
  test("a state comes back elsewhere, and a ticket in flight goes on there", async () => {
    await ci.create("two");
    await ci.ok("land", "--until", "build-image");
    const planned = await ci.ok("backup", "--dry-run");
    expect(planned).toMatch(/^write \S+\/backups\/\S+\.tar\.zst\n/);
    const file = await ci.ok("backup");
    expect(file).toMatch(/state\/backups\/[0-9T.-]+Z\.tar\.zst$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await ci.ok("log")).toMatch(/state backup +backed-up .*bytes/);

    const state = join(ci.root, "elsewhere");
    const dry = await at(state, "restore", file, "--dry-run");
    expect(dry.code).toBe(0);
    expect(existsSync(state)).toBe(false);
    const restored = await at(state, "restore", file);
    expect(restored).toMatchObject({
      code: 0,
      stdout: saying("restored the state of"),
    });
    expect((await at(state, "status", "2")).stdout).toContain(
      "goes on at Image Building, once it has a PPA",
    );
    expect((await at(state, "land")).code).toBe(0);
    expect((await at(state, "status", "2")).stdout).toContain("done, Complete");
    expect((await at(state, "fsck", "--digests")).stdout).toBe("all is well\n");
  });

  test("is not written into a folder that is not there", async () => {
    const folder = join(ci.root, "missing");
    for (const more of [[], ["--dry-run"]])
      expect(
        await ci.run("backup", join(folder, "copy.tar.zst"), ...more),
      ).toMatchObject({
        code: 2,
        stderr: saying(
          `cannot be written: there is no folder ${folder}\n  make it, or name another place`,
        ),
      });
  });

  test("over a state only in maintenance, and the old one is set aside", async () => {
    const file = await ci.ok("backup", join(ci.root, "copy.tar.zst"));
    await ci.create("two");
    await ci.ok("land");
    expect(await ci.run("restore", file)).toMatchObject({
      code: 2,
      stderr: saying("maintenance on"),
    });
    await ci.ok("maintenance", "on");
    expect(await ci.ok("restore", file, "--dry-run")).toContain("aside");
    expect((await ci.ticket(2)).status).toBe("done");
    await ci.ok("restore", file);
    expect(await ci.ok("status")).not.toContain("two");
    expect(readdirSync(join(ci.state, "set-aside"))).toHaveLength(1);
    // Maintenance was not its to end; numbers that were given out are not given again.
    expect((await ci.run("land")).code).toBe(75);
    await ci.ok("maintenance", "off");
    expect(await ci.create("two")).toBe("3");
    await ci.ok("land");
    expect(await findings("--digests")).toEqual(clean);
  });

  test("the state file alone is a backup, too", async () => {
    const file = await ci.ok("backup", "--database-only");
    expect(file).toMatch(/Z\.database\.tar\.zst$/);
    const fresh = join(ci.root, "elsewhere");
    expect((await at(fresh, "restore", file)).code).toBe(2);
    ci.sql("UPDATE ticket SET title = 'spoilt'");
    await ci.ok("maintenance", "on");
    await ci.ok("restore", file);
    expect((await ci.ticket(1)).title).toBe("land one");
  });

  test("a damaged one is refused and changes nothing; a lost file is told of", async () => {
    const [first, second] = (await ci.ticket(1)).artifacts;
    if (first === undefined || second === undefined) throw new Error("none");
    appendFileSync(ci.stored(first), "rot");
    rmSync(ci.stored(second));
    const file = join(ci.root, "copy.tar.zst");
    const made = await ci.run("backup", file);
    expect(made.code).toBe(0);
    expect(made.stderr).toMatch(
      new RegExp(`${second.name} is not in the data store and not in the`),
    );
    expect(made.stderr).toContain(
      `${first.name} is damaged, in the backup too`,
    );
    const state = join(ci.root, "elsewhere");
    expect(await at(state, "restore", file)).toMatchObject({
      code: 2,
      stderr: saying(first.name),
    });
    expect((await at(state, "restore", file, "--despite-damage")).code).toBe(0);
  });

  test("what is no backup is refused, and a file that is there is not replaced", async () => {
    const file = join(ci.root, "none");
    writeFileSync(file, "nothing");
    const state = join(ci.root, "elsewhere");
    for (const name of [file, join(ci.root, "gone")])
      expect((await at(state, "restore", name)).code).toBe(2);
    expect(await ci.run("backup", file)).toMatchObject({
      code: 2,
      stderr: saying("there is a file"),
    });
  });
});

describe("expire", () => {
  const kept = async (ticket: number) =>
    (await ci.ticket(ticket)).artifacts
      .filter((file) => existsSync(ci.stored(file)))
      .map(({ type }) => type);

  test("removes what is old, never the newest landing of a package, and says so", async () => {
    await ci.create("one", "1.1");
    ci.configure({ fake: { builder: "two=fail" } });
    await ci.create("two");
    await ci.run("land");
    await ci.ok("clean-ppas");
    expect(ofThisState(await ci.ok("expire", "--dry-run"))).toBe(
      "nothing to do",
    );
    age(1, 31);
    age(2, 1000);
    age(3, 1000);
    expect(ofThisState(await ci.ok("expire", "--dry-run"))).toMatch(
      /^remove .*ticket 1: 1 images/m,
    );
    expect(await kept(1)).toContain("IMAGE");
    expect((await ci.run("expire", "-v", "2")).stderr).toMatch(
      /^removed .*ticket 1: 1 images/m,
    );
    expect(await kept(1)).not.toContain("IMAGE");
    expect(await kept(1)).toContain("LOGS");
    expect(await kept(2)).toContain("IMAGE");
    // It failed, and is all that is known of its package.
    expect(await kept(3)).toContain("LOGS");
    expect(await ci.run("get_image", "1")).toMatchObject({
      code: 2,
      stderr: saying(/expired on 20..-..-.. by policy/),
    });
    expect(await ci.ok("status", "1")).toMatch(
      /expired on 20..-..-.. by policy/,
    );
    age(1, 400);
    await ci.ok("expire");
    expect(await kept(1)).toEqual([]);
    expect(await ci.ok("log", "1")).toMatch(/ticket 1 +expired .*files/);
    expect(ofThisState(await ci.ok("expire", "--dry-run"))).toBe(
      "nothing to do",
    );
    expect(await findings("--digests")).toEqual(clean);
  });

  test("removes old revisions and backups, and leaves what can be wanted again", async () => {
    ci.configure({ expire: { revisions: 1, backups: 1, revisionsDays: 1 } });
    await ci.create("one", "1.1");
    await ci.ok("land");
    const revisions = join(ci.state, "archive/.revisions");
    for (const name of ["a", "b"])
      writeFileSync(join(ci.state, `state.sqlite.before-${name}`), "");
    await ci.ok("backup");
    await ci.ok("backup");
    await ci.ok("expire");
    expect(readdirSync(join(ci.state, "backups"))).toHaveLength(1);
    // They are not old yet.
    expect(readdirSync(revisions)).toContain("1");
  });
});

describe("fsck", () => {
  test("what another host has under way is none of its business", async () => {
    const boot = "00000000-0000-4000-8000-000000000000";
    const scratch = join(ci.state, "scratch");
    mkdirSync(join(scratch, `admission.7-7-${boot}-elsewhere.abcdef`));
    expect(await findings()).toEqual(clean);
    mkdirSync(join(scratch, "somebody's"));
    expect((await findings()).whats).toEqual(["it does not say whose it is"]);
  });

  /** Looks, mends, and looks again. */
  async function expectMended(what: RegExp): Promise<void> {
    const found = await findings();
    expect(found.whats).toContainEqual(expect.stringMatching(what));
    expect(found.code).toBe(1);
    const mended = await findings("--mend");
    expect(mended.code).toBe(0);
    expect(mended.all.every((one) => one.mended)).toBe(true);
    expect(await findings("--digests")).toEqual(clean);
  }

  test("says in words when all is well, and what is wrong", async () => {
    await ci.ok("clean-ppas");
    expect(await ci.ok("fsck", "--digests")).toBe("all is well");
    mkdirSync(join(ci.state, "store/ticket.9"), { mode: 0o700 });
    writeFileSync(join(ci.state, "store/ticket.9/lost"), "mine");
    expect(await ci.run("fsck")).toMatchObject({
      code: 1,
      stdout: saying(/^WRONG {3}store: .*: there is a file and no row\n {8}\S/),
    });
    expect((await ci.run("fsck", "--mend", "--dry-run")).stdout).toContain(
      "WRONG",
    );
    expect(await ci.ok("fsck", "--mend")).toMatch(/^mended {2}/);
  });

  test("mends rows that a crash or an older version left", async () => {
    ci.sql("DELETE FROM publication");
    ci.sql("UPDATE artifact SET expired_at = '2026' WHERE type = 'LOGS'");
    ci.sql(
      "UPDATE ppa SET state = 'reserved', ticket = 1 WHERE name = 'ci_pool-001'",
    );
    const { whats } = await findings();
    for (const what of [
      /the state does not say so/,
      /expired, and is still there/,
      /reserved by a ticket that has ended/,
    ])
      expect(whats).toContainEqual(expect.stringMatching(what));
    expect((await findings("--mend")).code).toBe(0);
    await ci.ok("clean-ppas");
    expect(await findings("--digests")).toEqual(clean);
  });

  test("fills a PPA again that is gone from under a ticket", async () => {
    await ci.create("two");
    await ci.ok("land", "--until", "run-tests");
    const { ppa } = await ci.ticket(2);
    rmSync(join(ci.state, "ppa", ppa ?? "none"), { recursive: true });
    await expectMended(/the PPA of ticket 2 is not there/);
    expect(await ci.ok("log", "2")).toMatch(/started-over|starts over/);
    await ci.ok("land");
    expect((await ci.ticket(2)).status).toBe("done");
  });

  test("gives up runs of dead processes, and has a ticket wait that runs without one", async () => {
    await ci.create("two");
    await ci.ok("assign-ppa");
    ci.killedAt(200);
    await expectMended(/its process .* is gone/);
    ci.sql("UPDATE ticket SET status = 'running' WHERE id = 2");
    await expectMended(/there is no run/);
    await ci.ok("land");
    expect((await ci.ticket(2)).status).toBe("done");
  });

  test("leaves to a person what cannot be made good", async () => {
    await ci.ok("clean-ppas");
    const [first, second] = (await ci.ticket(1)).artifacts;
    if (first === undefined || second === undefined) throw new Error("none");
    rmSync(ci.stored(first));
    const { size } = statSync(ci.stored(second));
    writeFileSync(ci.stored(second), "x".repeat(size));
    expect((await findings()).whats).toEqual([saying(/a row and no file/)]);
    const { code, whats, all } = await findings("--digests", "--mend");
    expect(whats).toEqual([
      saying(/a row and no file/),
      saying(/its sha256 is/),
    ]);
    expect(code).toBe(1);
    expect(all.some(({ mended }) => mended)).toBe(false);
  });

  test("tells of rows that refer to nothing, and of a damaged state file", async () => {
    ci.sql("UPDATE subticket SET ticket = 99");
    expect((await findings()).whats).toContainEqual(saying("subticket"));
    const file = join(ci.state, "state.sqlite");
    rmSync(`${file}-wal`, { force: true });
    rmSync(`${file}-shm`, { force: true });
    writeFileSync(file, "x".repeat(100_000));
    const { code, document } = await ci.json("fsck");
    expect(code).toBe(1);
    expect(JSON.stringify(document)).toContain("restore");
    rmSync(file);
    expect((await ci.run("fsck")).code).toBe(78);
  });
});
