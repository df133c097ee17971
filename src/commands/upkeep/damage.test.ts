import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
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

import { InProcess, saying } from "../../../test/support/in-process.ts";
import { commands } from "../index.ts";

/** What is missing beside what refers to it is damage, and is never taken for empty. */
let template: InProcess;
let ci: InProcess;

beforeAll(async () => {
  template = await InProcess.init();
  await template.create("one");
  await template.create("two");
  await template.ok("land");
});
afterAll(() => template.remove());
beforeEach(() => {
  ci = template.copy();
});
afterEach(() => ci.remove());

const at = (...parts: string[]) => join(ci.state, ...parts);
const database = () => at("state.sqlite");
const revisions = () => readdirSync(at("archive/.revisions")).sort();

/** All files below a folder, with their sizes. */
function contents(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !/^(?:run|locks|log|scratch)/.test(name))
    .filter((name) => !/^(?:state\.sqlite|maintenance\.txt)/.test(name))
    .sort();
}

/** What each command that needs the whole state says, with a new upload at hand. */
async function answers(): Promise<
  Record<string, { code: number | null; stderr: string }>
> {
  const changes = ci.upload("three");
  const lines = [
    ["status"],
    ["land"],
    ["create_ticket", "-t", "three", "-s", changes],
    ["apt-source"],
    ["archive", "list"],
    ["build-source", "--ticket", "1"],
    ["get_artifact", "1", "none"],
    ["expire"],
    ["backup"],
    ["shepherd-report"],
    ["init"],
  ];
  const said: Record<string, { code: number | null; stderr: string }> = {};
  for (const line of lines) {
    const { code, stderr } = await ci.run(...line);
    said[line[0] ?? ""] = { code, stderr };
  }
  return said;
}

async function expectStopped(words: RegExp, but: string[] = []): Promise<void> {
  const before = contents(ci.state);
  for (const [command, answer] of Object.entries(await answers()))
    if (!but.includes(command))
      expect({ command, ...answer }).toEqual({
        command,
        code: 78,
        stderr: saying(words),
      });
  expect(contents(ci.state)).toEqual(before);
}

const check = async () => {
  const { code, stdout } = await ci.run("check");
  return { code, stdout };
};
const critical = (words: RegExp) => ({
  code: 2,
  stdout: saying(new RegExp(`^UBUNTU-CI CRITICAL - .*${words.source}`)),
});

describe("the state file", () => {
  const remove = () => {
    for (const name of readdirSync(ci.state))
      if (name.startsWith("state.sqlite")) rmSync(at(name));
  };

  test("missing beside the store: every command stops, init too, and says how to get it back", async () => {
    const file = await ci.ok("backup", join(ci.root, "copy.tar.zst"));
    remove();
    await expectStopped(
      /state\.sqlite is missing beside store\/, archive\/.*\n {2}bring it back from a backup: .*maintenance on.* then .*restore FILE/,
    );
    expect(existsSync(database())).toBe(false);
    expect(await check()).toEqual(critical(/state\.sqlite is missing beside/));
    for (const line of [["fsck"], ["fsck", "--mend"]])
      expect(await ci.run(...line)).toMatchObject({
        code: 78,
        stderr: saying("state.sqlite is missing"),
      });
    await ci.ok("maintenance", "on");
    expect((await ci.run("status")).code).toBe(78);
    expect(existsSync(database())).toBe(false);
    await ci.ok("restore", file);
    await ci.ok("maintenance", "off");
    expect((await ci.ticket(2)).status).toBe("done");
    expect(await ci.create("three")).toBe("3");
  });

  test("cut to nothing is damage as well", async () => {
    remove();
    writeFileSync(database(), "", { mode: 0o600 });
    await expectStopped(/state\.sqlite is (?:empty|missing)/);
    expect(statSync(database()).size).toBe(0);
    expect((await check()).code).not.toBe(0);
  });

  test("damaged pages: 78 with what helps, no bug of ours, and check is critical", async () => {
    const pages = ci.sql(
      "SELECT rootpage FROM sqlite_master WHERE name IN ('ticket', 'subticket', 'event')",
    ) as { rootpage: number }[];
    const size = statSync(database()).size;
    const bytes = readFileSync(database());
    for (const page of pages.map(({ rootpage }) => rootpage - 1))
      bytes.fill(0, page * 4096, (page + 1) * 4096);
    writeFileSync(database(), bytes);
    expect(statSync(database()).size).toBe(size);
    for (const line of [["status"], ["status", "1"], ["explain", "1"]])
      expect(await ci.run(...line)).toMatchObject({
        code: 78,
        stderr: saying(/the state file.* is damaged: .*\n {2}`.*fsck.*` says/),
      });
    expect(await check()).toEqual(critical(/the state file.* is damaged: /));
    expect(await ci.run("fsck")).toMatchObject({
      code: 1,
      stdout: saying("take it from a backup"),
    });
    writeFileSync(database(), "x".repeat(size));
    expect(await check()).toEqual(
      critical(/is damaged: file is not a database/),
    );
    expect((await ci.run("status")).code).toBe(78);
  });
});

describe("the archive", () => {
  const plain = async () => {
    await ci.ok("clean-ppas");
    return contents(at("archive"));
  };

  test.each([
    ["without dists", () => rmSync(at("archive/dists"))],
    [
      "with a dangling dists",
      () => {
        rmSync(at("archive/dists"));
        symlinkSync(".revisions/9/dists", at("archive/dists"));
      },
    ],
    [
      "with something else as dists",
      () => {
        rmSync(at("archive/dists"));
        symlinkSync("nowhere", at("archive/dists"));
      },
    ],
  ])(
    "%s: every command stops, and fsck --mend links it again and loses nothing",
    async (_, damage) => {
      const whole = await plain();
      damage();
      await expectStopped(/the archive is damaged: .*\n {2}`.*fsck.*` says/);
      expect(await check()).toEqual(critical(/dists/));
      expect((await ci.run("fsck")).code).toBe(1);
      expect(await ci.ok("fsck", "--mend")).toMatch(/^mended {2}archive: /);
      expect(contents(at("archive"))).toEqual(whole);
      expect(readlinkSync(at("archive/dists"))).toBe(".revisions/2/dists");
      expect(await ci.ok("fsck", "--digests")).toBe("all is well");
      expect((await check()).stdout).not.toContain("dists");
      expect(await ci.ok("archive", "list")).toContain("2");
    },
  );

  test("set back to an older revision: nothing goes on, and what the state knows stays", async () => {
    const whole = await plain();
    await ci.create("three");
    rmSync(at("archive/dists"));
    symlinkSync(".revisions/1/dists", at("archive/dists"));
    for (const line of [["land"], ["init"], ["expire"]])
      expect(await ci.run(...line)).toMatchObject({
        code: 78,
        stderr: saying("shows revision 1, and the state knows revision 2"),
      });
    expect(await check()).toEqual(
      critical(/shows revision 1, and the state knows/),
    );
    expect(await ci.ok("fsck", "--mend")).toMatch(/^mended/);
    expect(contents(at("archive"))).toEqual(whole);
    await ci.ok("land");
    expect(revisions()).toEqual(["0", "1", "2", "3"]);
  });

  test("gone altogether: only a backup helps, and nothing makes it anew", async () => {
    rmSync(at("archive"), { recursive: true });
    await expectStopped(/the archive .*archive is missing.*\n.*restore FILE/);
    expect(existsSync(at("archive"))).toBe(false);
    expect(await check()).toEqual(critical(/archive/));
    expect(await ci.run("fsck", "--mend")).toMatchObject({
      code: 1,
      stdout: saying(/archive is missing\n.*the state knows revision 2/),
    });
    expect(existsSync(at("archive"))).toBe(false);
  });

  test.each([
    "{}",
    "{",
    "null",
    '{"revision":2,"publications":{"bookworm":[null]}}',
  ])("with %s as the record of the revision that clients see", async (text) => {
    const whole = await plain();
    await ci.create("three");
    writeFileSync(at("archive/.revisions/2/revision.json"), text);

    for (const line of [["land"], ["archive", "list"]])
      expect((await ci.run(...line)).stderr).toMatch(
        /the archive is damaged: .*revision\.json does not describe (?:a )?revision/,
      );
    expect((await ci.run("archive", "list")).code).toBe(78);
    expect((await ci.run("land")).code).toBe(78);
    expect(await check()).toEqual(critical(/revision\.json does not describe/));
    if (!text.includes("bookworm"))
      expect((await ci.run("status")).code).toBe(78);
    expect((await ci.run("fsck", "--mend")).code).toBe(1);
    expect(contents(at("archive"))).toEqual(whole);
  });

  test("an older revision that is damaged is moved aside, with what only it had", async () => {
    await ci.create("one", "2.0");
    await ci.ok("land");
    const pool = at("archive/pool/main/o/one");
    const before = readdirSync(pool);
    writeFileSync(at("archive/.revisions/2/revision.json"), "{}");
    writeFileSync(at("archive/.revisions/1/revision.json"), "{}");
    await ci.ok("fsck", "--mend");
    await ci.ok("fsck", "--mend");
    expect(revisions()).toEqual(["0", "3"]);
    const aside = contents(at("set-aside")).map((name) =>
      name.split("/").at(-1),
    );
    expect(aside).toEqual(expect.arrayContaining(["1", "2", "one_1.0.dsc"]));
    const left = [...readdirSync(pool), ...aside];
    expect(left).toEqual(expect.arrayContaining(before));
    expect(await ci.ok("fsck", "--digests")).toBe("all is well");
  });

  test("a damaged pool file of the same size is found without --digests, too", async () => {
    await ci.ok("clean-ppas");
    const pool = at("archive/pool/main/o/one");
    const file = join(pool, readdirSync(pool)[0] ?? "none");
    const { size, mtime } = statSync(file);
    writeFileSync(file, "x".repeat(size));
    for (const time of [new Date(), mtime]) {
      utimesSync(file, time, time);
      expect(await ci.run("fsck")).toMatchObject({
        code: 1,
        stdout: saying(/its sha256 is .*, not/),
      });
    }
  });
});

describe("a ticket's files", () => {
  test("a container that is gone: its ticket is set aside, others go on, status stays readable", async () => {
    await ci.create("three");
    await ci.create("four");
    rmSync(at("store/ticket.3"), { recursive: true });
    rmSync(at("store/ticket.1"), { recursive: true });
    expect((await ci.run("land")).code).toBe(78);
    expect((await ci.ticket(3)).status).toBe("set-aside");
    expect((await ci.ticket(4)).status).toBe("done");
    for (const line of [
      ["land", "--ticket", "3"],
      ["build-source", "--ticket", "3"],
      ["retry", "3"],
    ])
      expect((await ci.run(...line)).code).toBe(78);
    expect((await ci.ticket(1)).status).toBe("done");
    const { artifacts } = await ci.ticket(1);
    const log = artifacts.find(({ type }) => type === "LOGS")?.name ?? "none";
    for (const line of [
      ["get_artifact", "1", log, "-o", ci.root],
      ["get_image", "1", "-o", ci.root],
    ])
      expect(await ci.run(...line)).toMatchObject({
        code: 78,
        stderr: saying("is missing from the data store"),
      });
  });

  test("the whole store gone: nothing makes an empty one", async () => {
    rmSync(at("store"), { recursive: true });
    for (const line of [
      ["create_ticket", "-t", "t", "-s", ci.upload("three")],
      ["init"],
    ])
      expect(await ci.run(...line)).toMatchObject({
        code: 78,
        stderr: saying(/the data store \S+ is missing/),
      });
    expect(existsSync(at("store"))).toBe(false);
    expect((await ci.ticket(1)).status).toBe("done");
  });

  test("create_ticket moves files away that it did not make, and loses none", async () => {
    mkdirSync(at("store/ticket.3"), { mode: 0o700 });
    writeFileSync(at("store/ticket.3/precious"), "mine");
    expect(await ci.create("three")).toBe("3");
    const [aside = ""] = readdirSync(at("set-aside"));
    const kept = at("set-aside", aside, "store/ticket.3/precious");
    expect(readFileSync(kept, "utf8")).toBe("mine");
    expect(existsSync(at("store/ticket.3/precious"))).toBe(false);
    expect(await ci.ok("log")).toMatch(/state ticket\.3 +set aside/);
    await ci.ok("land");
  });

  test("a PPA that is gone from under a ticket sets it aside, and retry fills another", async () => {
    await ci.create("three");
    await ci.ok("land", "--until", "build-source");
    rmSync(at("ppa", (await ci.ticket(3)).ppa ?? "none"), { recursive: true });
    expect(await ci.run("land")).toMatchObject({
      code: 78,
      stderr: saying(/the PPA of ticket 3, is gone or damaged/),
    });
    expect((await ci.ticket(3)).status).toBe("set-aside");
    await ci.ok("retry", "3");
    await ci.ok("land");
    expect((await ci.ticket(3)).status).toBe("done");
  });
});

describe("a base", () => {
  test("that is gone is made again, and that is said; where none was, init is named", async () => {
    ci.configure({ builder: "session", mirror: "http://127.0.0.1:9/none" });
    await ci.create("three");
    expect(await ci.run("land")).toMatchObject({
      code: 78,
      stderr: saying(/there is no base of bookworm[^]*init --series bookworm/),
    });
    ci.sql(
      "INSERT INTO event (at, actor, subject, subject_id, what) VALUES ('2026', 'x', 'base', 'base-bookworm-0123456789ab', 'made')",
    );
    // No mirror answers there.
    expect(await ci.run("land", "-v", "2")).toMatchObject({
      code: 75,
      stderr: saying("the base of bookworm is gone: making it again"),
    });
    expect((await ci.ticket(3)).waiting_for).toMatch(/mmdebstrap|mirror/);
  }, 60_000);
});

describe("the uploaders' keys", () => {
  test("gone beside uploaders that were accepted: said, and not made anew", async () => {
    const fingerprint = "0".repeat(40);
    ci.sql(
      "INSERT INTO event (at, actor, subject, subject_id, what) VALUES ('2026', 'x', 'uploader', ?, 'added')",
      fingerprint,
    );
    rmSync(at("uploaders"), { recursive: true });
    const create = ["create_ticket", "-t", "t", "-s", ci.upload("three")];
    for (const line of [create, ["uploaders", "list"], ["init"]])
      expect(await ci.run(...line)).toMatchObject({
        code: 78,
        stderr: saying("the uploaders' keys are missing"),
      });
    expect(existsSync(at("uploaders"))).toBe(false);
    expect((await ci.run("fsck")).stdout).toContain(`key ${fingerprint}`);
    ci.sql(
      "INSERT INTO event (at, actor, subject, subject_id, what) VALUES ('2026', 'x', 'uploader', ?, 'removed')",
      fingerprint,
    );
    await ci.ok(...create);
  });
});

describe("check", () => {
  test("tells a ticket that waits for a person, and a queue that nothing can move", async () => {
    await ci.create("three");
    ci.sql(
      `UPDATE ticket SET waiting_for = 'aptly is missing', remedy = '{"verb":"doctor","args":[],"options":{}}' WHERE id = 3`,
    );
    expect(await check()).toEqual(
      critical(/ticket 3 waits at Queued: aptly is missing \(`.*explain 3/),
    );
    ci.sql("UPDATE ticket SET waiting_for = NULL, remedy = NULL");
    expect((await check()).stdout).not.toContain("CRITICAL");
    ci.sql("DELETE FROM ppa");
    expect(await check()).toEqual(critical(/the queue is wedged: .*ticket 3/));
    ci.sql("UPDATE ticket SET status = 'running' WHERE id = 3");
    expect(await check()).toEqual(
      critical(
        /ticket 3 is marked as running, and nothing works on it \(`.*fsck --mend/,
      ),
    );
  });

  test("tells that the data store or the archive's pool is gone", async () => {
    renameSync(at("archive/pool"), at("archive/elsewhere"));
    expect(await check()).toEqual(critical(/archive\/pool is missing/));
    rmSync(at("store"), { recursive: true });
    expect(await check()).toEqual(critical(/the data store \S+ is missing/));
  });

  test("tells which setting is wrong", async () => {
    ci.configure({ concurency: 3 });
    expect((await check()).stdout).toMatch(
      /^UBUNTU-CI UNKNOWN - the configuration \S+ is wrong: concurency: .*concurrency/,
    );
  });
});

test("a wrong state folder: every command says so, and makes nothing", async () => {
  const place = join(ci.root, "nothing");
  const special: Record<string, string[]> = {
    create_ticket: ["-t", "t", "-s", ci.upload("three")],
    update_ticket: ["1", "-t", "t"],
    get_artifact: ["1", "x"],
    "release-ppa": ["--ticket", "1"],
    restore: ["x"],
    override: ["1", "--undo"],
    qa: ["1", "ok"],
  };
  const without = [
    "init",
    "doctor",
    "config",
    "completion",
    "restore",
    "check",
    "upgrade",
    "verify-report",
  ];
  for (const name of Object.keys(commands)) {
    if (without.includes(name)) continue;
    const ticket = ["cancel", "retry", "explain", "get_image"].includes(name);
    const args = special[name] ?? (ticket ? ["1"] : []);
    const { code, stderr } = await ci.run(name, ...args, "--state-dir", place);
    expect({ name, code, stderr }).toEqual({
      name,
      code: 78,
      stderr: saying(`no state in ${place}`),
    });
    expect(existsSync(place)).toBe(false);
  }
  renameSync(at("store"), join(ci.root, "elsewhere"));
  truncateSync(at("log", readdirSync(at("log"))[0] ?? "none"), 0);
});
