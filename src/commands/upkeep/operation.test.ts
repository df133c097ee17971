import {
  existsSync,
  readFileSync,
  rmSync,
  statSync,
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
import type { ProcessIdentity } from "../../lib/files/process-identity.ts";
import { startOf, thisProcess } from "../../lib/files/process-identity.ts";
import { withLock } from "../../lib/locks/lock.ts";

/** Operation: maintenance, locks, check, and the report that shows it all. */
const calm = {
  // The disk that the tests run on is not what is tested.
  check: {
    diskFree: { warnMiB: 0, criticalMiB: 0 },
    inodesFree: { warnPercent: 0, criticalPercent: 0 },
  },
};
let template: InProcess;
let ci: InProcess;

beforeAll(async () => {
  template = await InProcess.init();
});
afterAll(() => template.remove());
beforeEach(() => {
  ci = template.copy(calm);
});
afterEach(() => ci.remove());

/** A process that lives as long as this one. */
const parent = (): ProcessIdentity => ({
  ...thisProcess(),
  pid: process.ppid,
  process_start: startOf(process.ppid) ?? "",
});

/** Leaves a lock as that process has it. */
function plantLock(name: string, identity: ProcessIdentity): void {
  const since = "2026-01-01T00:00:00.000Z";
  writeFileSync(
    join(ci.state, `run/${name}.pid`),
    JSON.stringify({ ...identity, name, since, command: name }),
  );
}

describe("maintenance", () => {
  const toggle = () => join(ci.state, "maintenance.txt");

  test("on, off and status tell since when, by whom, why, and what was held back", async () => {
    expect(await ci.ok("maintenance")).toBe("off");
    expect(await ci.ok("maintenance", "on", "--dry-run")).toBe(
      `write ${toggle()}`,
    );
    expect(existsSync(toggle())).toBe(false);
    await ci.ok("maintenance", "on", "--reason", "new\ndisk");
    expect(await ci.ok("maintenance")).toMatch(
      /^on since \S+ \S+Z .*by \S+@\S+: new disk$/,
    );
    await ci.run("land");
    await ci.run("land");
    expect(await ci.ok("maintenance", "status")).toMatch(/\nheld back: .*land/);
    expect((await ci.json("maintenance")).document).toMatchObject({
      maintenance: { reason: "new disk" },
      held_back: { land: expect.anything() as unknown },
      warning: null,
    });
    expect(await ci.ok("maintenance", "off", "--dry-run")).toBe(
      `remove ${toggle()}`,
    );
    await ci.ok("maintenance", "off");
    expect(await ci.ok("log", "-n", "3")).toMatch(
      /maintenance .*off .*it was on since .*new disk.*held back: .*land/,
    );
    expect((await ci.run("land")).code).toBe(0);
  });

  test("switched on again says what it replaces, and check tells it at once", async () => {
    expect(await ci.ok("maintenance", "on", "--reason", "one")).toBe(
      "maintenance is on: one",
    );
    expect(await ci.ok("maintenance", "on", "--reason", "two")).toMatch(
      /^maintenance was on since .*: one; it is now by \S+: two$/,
    );
    expect((await ci.run("check")).stdout).toMatch(/maintenance is on .*: two/);
    expect(await ci.ok("maintenance", "off")).toMatch(/^maintenance is off; /);
    expect(await ci.ok("maintenance", "off")).toBe(
      "maintenance was off already",
    );
  });

  test("by hand is recorded by who comes next, when it is over", async () => {
    writeFileSync(toggle(), "");
    expect((await ci.run("land")).code).toBe(75);
    rmSync(toggle());
    await ci.ok("ppa", "add", "ci_extra-1");
    expect(await ci.ok("log", "-n", "9")).toMatch(
      /maintenance.txt was made by hand/,
    );
  });

  test("that somebody may have forgotten is warned of", async () => {
    ci.configure({ ...calm, maintenance: { warnAfterMinutes: 60 } });
    await ci.ok("maintenance", "on");
    const then = Date.now() / 1000 - 61 * 60;
    utimesSync(toggle(), then, then);
    expect((await ci.run("maintenance")).stderr).toContain(
      `did somebody forget it? \`${ci.line("maintenance off")}\` ends it`,
    );
    expect(await ci.run("check")).toMatchObject({
      code: 1,
      stdout: saying(/^UBUNTU-CI WARNING - maintenance is on since /),
    });
  });

  test("wait returns when nothing runs, and gives up after its time", async () => {
    expect((await ci.run("maintenance", "wait")).code).toBe(0);
    plantLock("publish", parent());
    const timeout = ["--timeout", "0", "-v", "2"];
    const waiting = await ci.run("maintenance", "wait", ...timeout);
    const who = `publish (process ${process.ppid} since 2026-`;
    expect(waiting).toMatchObject({
      code: 75,
      stderr: saying(`waiting for ${who}`),
    });
    expect(waiting.stderr).toContain(`still running: ${who}`);
  });
});

describe("locks", () => {
  test("a second copy leaves with 75 and says who is at work; that is logged once", async () => {
    await ci.create("hello");
    await withLock(
      join(ci.state, "run"),
      "land",
      () => undefined,
      async () => {
        for (let copy = 0; copy < 2; copy += 1)
          expect(await ci.run("land")).toMatchObject({
            code: 75,
            stderr: saying(
              `land is running already: process ${process.pid} on `,
            ),
          });
        expect(await ci.ok("locks")).toMatch(
          new RegExp(`^land +alive +process ${process.pid} on `),
        );
        expect((await ci.json("locks")).document).toMatchObject({
          locks: [{ name: "land", dead: false, warning: null }],
        });
      },
    );
    expect(await ci.ok("locks")).toBe("no locks");
    expect((await ci.ok("log")).match(/second copy/g)).toHaveLength(1);
    expect((await ci.run("land")).code).toBe(0);
  });

  test("one that hangs is warned of, and once recorded", async () => {
    ci.configure({ ...calm, lock: { warnAfterMinutes: 1 } });
    await ci.create("hello");
    plantLock("land", parent());
    for (let copy = 0; copy < 2; copy += 1)
      expect(await ci.run("land")).toMatchObject({
        code: 75,
        stderr: saying(/^warning: land has been running for /),
      });
    expect((await ci.run("locks")).stderr).toMatch(
      /^warning: land has been running for .* kill \d+\n$/,
    );
    const index = await ci.ok("shepherd-report");
    expect(readFileSync(index, "utf8")).toContain("land has been running for");
    expect((await ci.ok("log")).match(/lock land +old/g)).toHaveLength(1);
  });

  test("of a process that is gone is taken over, and that is recorded", async () => {
    await ci.create("hello");
    plantLock("land", { ...parent(), process_start: "another one's" });
    expect(await ci.ok("locks")).toMatch(
      /^land +dead, the next run takes it over /,
    );
    expect(await ci.run("land", "-v", "2")).toMatchObject({
      code: 0,
      stderr: saying(/^took over the lock land: process \d+ on \S+, since /),
    });
    expect(await ci.ok("log")).toMatch(
      /lock land +taken over .* is gone: land/,
    );
  });
});

describe("check", () => {
  test("one line and exit code 0 when all is well", async () => {
    const { code, stdout, stderr } = await ci.run("check");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^UBUNTU-CI OK - tickets: 0 running, 0 waiting, 0 held; [0-9.]+ GB free \| '[^\n]*\n$/,
    );
    expect(stdout).toContain("'ppas_free'=2;1:;;0;2");
    expect((await ci.json("check")).document).toMatchObject({
      health: "ok",
      checks: expect.arrayContaining([
        expect.objectContaining({ name: "ppas_free", value: 2, message: null }),
      ]) as unknown,
    });
  });

  test("tells of what infrastructure failed, and of a step that is not heard of", async () => {
    ci.configure({
      ...calm,
      fake: { builder: "broken=tmpfail" },
      retry: { limit: 0 },
    });
    await ci.create("broken");
    await ci.run("land");
    expect(await ci.run("check")).toMatchObject({
      code: 1,
      stdout: saying(
        /WARNING - infrastructure failed ticket 1 in the last 3 days/,
      ),
    });
    await ci.create("quiet");
    await ci.ok("assign-ppa");
    ci.killedAt(200);
    ci.sql(
      "UPDATE run SET heartbeat_at = ? WHERE finished_at IS NULL",
      new Date(Date.now() - 3_600_000).toISOString(),
    );
    expect(await ci.run("check")).toMatchObject({
      code: 2,
      stdout: saying(
        /CRITICAL - nothing was heard of ticket 2 at Package Building for 1 h/,
      ),
    });
  });

  test("tells that nothing starts on a disk that is nearly full, and nothing does", async () => {
    await ci.create("hello");
    ci.configure({ ...calm, limits: { diskReserveMiB: 2 ** 40 } });
    const { code, stderr } = await ci.run("land");
    expect(code).toBe(75);
    expect(stderr).toMatch(/nothing is started: .*\(limits\.diskReserveMiB\)/);
    expect(await ci.ticket(1)).toMatchObject({ status: "waiting", runs: [] });
    expect(await ci.run("check")).toMatchObject({
      code: 2,
      stdout: saying("no step starts but publish (limits.diskReserveMiB)"),
    });
    expect((await ci.json("explain", "1")).document).toMatchObject({
      blocked: true,
      because: [
        saying(/^no step starts: .* are free .*\(limits\.diskReserveMiB\)$/),
        saying("it is its turn"),
      ],
      next: { action: saying("when there is room again: the next pass") },
      unblock: ci.line("expire"),
    });
    // Publishing needs little, and lets the ticket end.
    ci.sql("UPDATE ticket SET step = 500");
    expect(await ci.ok("explain", "1")).not.toContain("no step starts");
    ci.sql("UPDATE ticket SET step = 100");
    ci.configure(calm);
    await ci.ok("land");
    expect((await ci.ticket(1)).status).toBe("done");
  });

  test("writes figures for Prometheus, also when nothing can be found out", async () => {
    const file = join(ci.root, "ubuntu-ci.prom");
    expect(await ci.ok("check", "--prometheus", file, "--dry-run")).toContain(
      `write ${file}`,
    );
    expect(existsSync(file)).toBe(false);
    await ci.ok("check", "--prometheus", file);
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect(readFileSync(file, "utf8")).toContain("\nubuntu_ci_up 1\n");
    expect(await ci.ok("check", "--prometheus")).toContain("ubuntu_ci_up 1");
    rmSync(join(ci.state, "state.sqlite"));
    expect(await ci.run("check")).toMatchObject({
      code: 2,
      stdout: saying(/^UBUNTU-CI CRITICAL - .*state\.sqlite is missing beside/),
    });
    const nowhere = ["--state-dir", join(ci.root, "nowhere")];
    expect(await ci.run("check", ...nowhere)).toMatchObject({
      code: 3,
      stdout: saying("UBUNTU-CI UNKNOWN - there is no state in "),
    });
    expect(
      (await ci.json("check", "--config", "/nowhere.json")).document,
    ).toMatchObject({ health: "unknown", checks: [] });
  });
});

describe("shepherd-report", () => {
  test("shows every ticket, and a second one writes nothing", async () => {
    await ci.create("hello");
    await ci.ok("land");
    await ci.create("next", "1.0", "--wait");
    const folder = join(ci.root, "site");
    expect(
      await ci.ok("shepherd-report", "--output", folder, "--dry-run"),
    ).toBe(`write the report to ${folder}`);
    expect(existsSync(folder)).toBe(false);
    const index = await ci.ok("shepherd-report");
    const page = (path: string) =>
      readFileSync(join(ci.state, "report", path), "utf8");
    expect(index).toBe(join(ci.state, "report/index.html"));
    expect(page("index.html")).toContain("tickets/2/index.html");
    expect(page("tickets/1/index.html")).toContain("archive revision 1");
    expect(JSON.parse(page("tickets/1/index.json"))).toMatchObject({
      ticket: { id: 1, status: "done" },
    });
    expect((await ci.json("shepherd-report")).document).toMatchObject({
      written: 0,
    });
    expect((await ci.json("shepherd-report", "--all")).code).toBe(0);
    expect(await ci.run("shepherd-report", "--rsync")).toMatchObject({
      code: 78,
      stderr: saying("set `report.rsyncTarget`"),
    });
  });
});
