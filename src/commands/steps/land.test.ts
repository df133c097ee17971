import {
  copyFileSync,
  existsSync,
  readdirSync,
  rmSync,
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

let template: InProcess;
let ci: InProcess;

beforeAll(async () => {
  template = await InProcess.init();
});
afterAll(() => template.remove());
beforeEach(() => {
  ci = template.copy();
});
afterEach(() => ci.remove());

const outcomes = async (id: string) =>
  (await ci.ticket(id)).runs.map(
    ({ step, attempt, outcome }) => `${step.code} ${attempt} ${outcome ?? ""}`,
  );

describe("step by step", () => {
  test("a ticket lands, its PPA is given back, and nothing is left over", async () => {
    const id = await ci.create("hello");
    expect(id).toBe("1");
    for (const [command, code, said] of [
      ["assign-ppa", 200, "assign-ppa passed: ci_pool-001"],
      ["build-source", 300, "build-source passed"],
      ["build-image", 400, "build-image passed"],
      ["run-tests", 500, "run-tests passed"],
      ["publish", 1000, "publish passed: archive revision 1"],
    ] as const) {
      expect(await ci.run(command, "-v", "2")).toMatchObject({
        code: 0,
        stderr: saying(`ticket 1: ${said}`),
      });
      expect((await ci.ticket(id)).step.code).toBe(code);
    }
    const landed = await ci.ticket(id);
    expect(landed).toMatchObject({
      status: "done",
      archive_revision: 1,
      failure: null,
      ppa: null,
    });
    expect(landed.artifacts.map(({ name }) => name).sort()).toEqual([
      "hello.autopkgtest.log",
      "hello_1.0.dsc",
      "hello_1.0.tar.xz",
      "hello_1.0_amd64.build",
      "hello_1.0_amd64.buildinfo",
      "hello_1.0_amd64.changes",
      "hello_1.0_amd64.deb",
      "hello_1.0_source.changes",
      "ticket-1.image.log",
      "ticket-1.manifest.json",
      "ticket-1.rootfs.tar.zst",
    ]);
    expect(landed.artifacts.every((file) => existsSync(ci.stored(file)))).toBe(
      true,
    );
    expect(await ci.ok("clean-ppas")).toBe("ci_pool-001");
    expect(await ci.ok("ppa", "list")).toMatch(
      /^ci_pool-001 {2}free .*\nci_pool-002 {2}free .*$/,
    );
    expect(
      existsSync(join(ci.state, "archive/pool/main/h/hello/hello_1.0.dsc")),
    ).toBe(true);
  });

  test("a step with nothing to do says so, and so does land", async () => {
    expect(await ci.run("publish", "-v", "2")).toEqual({
      code: 0,
      stdout: "",
      stderr: "publish: nothing to do\n",
    });
    expect(await ci.run("land", "-v", "2")).toEqual({
      code: 0,
      stdout: "",
      stderr: "land: nothing to do\n",
    });
    expect((await ci.json("land")).document).toEqual({ plans: [], runs: [] });
  });

  test("a step prints its plan and its run with --json", async () => {
    await ci.create("hello");
    const { code, document } = await ci.json("assign-ppa");
    expect(code).toBe(0);
    expect(document).toMatchObject({
      plan: { ticket: 1, command: "assign-ppa" },
    });
    expect(JSON.stringify(document)).toContain("reserve ci_pool-001");
  });

  test("until a step, and a ticket by its number", async () => {
    await ci.create("one");
    await ci.create("two");
    await ci.ok("land", "--ticket", "1", "--until", "build-image");
    expect((await ci.ticket(1)).step.code).toBe(400);
    expect((await ci.ticket(2)).step.code).toBe(100);
    expect(await ci.run("land", "--ticket", "2")).toMatchObject({
      code: 75,
      stderr: saying("ticket 2 waits behind ticket 1"),
    });
    expect(await ci.run("run-tests", "--ticket", "2")).toMatchObject({
      code: 75,
      stderr: saying("ticket 2"),
    });
    await ci.ok("land");
    expect((await ci.ticket(2)).archive_revision).toBe(2);
    expect(await ci.run("land", "--ticket", "9")).toMatchObject({
      code: 2,
      stderr: saying("there is no ticket 9"),
    });
  });

  test("several tickets land side by side, those with a source in common in order", async () => {
    ci.configure({ concurrency: 2 });
    await ci.create("one");
    await ci.create("one", "2.0");
    await ci.create("two");
    const { document } = await ci.json("land", "--dry-run");
    const { plan } = document as {
      plan: { tickets: { ticket: number; actions: string[] }[] };
    };
    expect(
      plan.tickets.map(({ ticket, actions }) => [ticket, actions[0]]),
    ).toEqual([
      [1, "reserve ci_pool-001"],
      [2, "reserve a PPA, when its turn has come and one is free"],
      [3, "reserve ci_pool-002"],
    ]);
    const { code, stderr } = await ci.run("land", "-v", "2");
    expect(code).toBe(0);
    for (const id of [1, 2, 3])
      expect(stderr).toContain(`ticket ${id}: publish passed`);
    const [one, next] = [await ci.ticket(1), await ci.ticket(2)];
    expect(one.archive_revision ?? 0).toBeLessThan(next.archive_revision ?? 0);
  });

  test("--dry-run tells each step's plan and changes nothing", async () => {
    await ci.create("hello");
    expect(await ci.ok("land", "--dry-run")).toMatch(
      /^ticket 1: assign-ppa\n {2}reserve ci_pool-001/,
    );
    for (const [command, planned] of [
      ["assign-ppa", "reserve ci_pool-001"],
      ["build-source", "hello 1.0"],
      ["build-image", "hello"],
      ["run-tests", "hello"],
      ["publish", "copy hello 1.0 and 1 binary packages to the archive"],
    ] as const) {
      expect(await ci.ok(command, "--dry-run")).toContain(planned);
      expect(await ci.run(command)).toMatchObject({ code: 0, stdout: "" });
    }
    expect(await ci.ok("land", "--dry-run")).toBe("nothing to do");
    expect(await ci.ok("publish", "--dry-run")).toBe("nothing to do");
  });
});

describe("a ticket that does not land", () => {
  test("the package's fault fails it at once, with its log as evidence, and gives the PPA back", async () => {
    ci.configure({ fake: { builder: "hello=fail" } });
    const id = await ci.create("hello");
    expect(await ci.run("land")).toMatchObject({
      code: 1,
      stderr: saying(
        /ticket 1: build-source failed: .*the fake builder was told to: failed/,
      ),
    });
    expect(await ci.ticket(id)).toMatchObject({
      status: "failed",
      step: { code: 999 },
      ppa: null,
      failure: {
        kind: "package",
        step: { code: 200 },
        artifact: "hello_1.0_amd64.build",
      },
    });
    expect(await ci.ok("status", id)).toContain("the package is at fault");
    expect(await ci.ok("status", id)).toContain(
      ci.line("get_artifact 1 hello_1.0_amd64.build -o -").split(" --")[0],
    );
    expect(await ci.ok("archive", "list")).toMatch(/^0 .* current$/);
  });

  test.each([
    ["imager", 300, "the fake imager was told to: failed"],
    ["tester", 400, "the fake tester was told to: failed"],
    ["archive", 500, "the fake archive was told to fail"],
  ])("a failure of the %s is told as one of step %i", async (knob, at, why) => {
    ci.configure({ fake: { [knob]: "fail" } });
    const id = await ci.create("hello");
    expect((await ci.run("land")).code).toBe(1);
    const { failure } = await ci.ticket(id);
    expect(failure).toMatchObject({ kind: "package", step: { code: at } });
    expect(failure?.reason).toContain(why);
  });

  test("our own trouble is retried, then blamed on infrastructure", async () => {
    ci.configure({
      fake: { tester: "tmpfail" },
      retry: { limit: 2, firstDelaySeconds: 0 },
    });
    const id = await ci.create("hello");
    for (let pass = 0; pass < 2; pass += 1) {
      expect((await ci.run("land")).code).toBe(75);
      expect(await ci.ticket(id)).toMatchObject({
        status: "waiting",
        step: { code: 400 },
      });
    }
    expect((await ci.run("land")).code).toBe(75);
    expect(await ci.ticket(id)).toMatchObject({
      status: "failed",
      ppa: null,
      failure: { kind: "infrastructure", step: { code: 400 } },
    });
    expect((await outcomes(id)).slice(3)).toEqual([
      "400 1 tmpfail",
      "400 2 tmpfail",
      "400 3 tmpfail",
    ]);
  });

  test("a publication that fails for infrastructure to the end was not made", async () => {
    ci.configure({
      fake: { archive: "tmpfail" },
      retry: { limit: 1, firstDelaySeconds: 0 },
    });
    await ci.create("hello");
    for (let pass = 0; pass < 3; pass += 1) await ci.run("land");
    expect(await ci.ticket(1)).toMatchObject({
      status: "failed",
      archive_revision: null,
      failure: { kind: "infrastructure", step: { code: 500 } },
    });
    expect(await ci.ok("archive", "list", "--json")).toContain('"current": 0');
  });

  test("a back-off is waited for", async () => {
    ci.configure({
      fake: { builder: "tmpfail" },
      retry: { firstDelaySeconds: 3600 },
    });
    const id = await ci.create("hello");
    await ci.run("land");
    expect((await ci.ticket(id)).retry_at).not.toBeNull();
    expect(await ci.run("land", "-v", "2")).toMatchObject({
      code: 0,
      stderr: "land: nothing to do\n",
    });
    expect(await ci.run("land", "--ticket", "1")).toMatchObject({
      code: 75,
      stderr: saying("ticket 1 is not ready: "),
    });
  });

  test("without a free PPA it waits and says so", async () => {
    ci.configure({ concurrency: 3 });
    for (const name of ["one", "two", "three"]) await ci.create(name);
    await ci.ok("assign-ppa");
    await ci.ok("assign-ppa");
    expect((await ci.run("assign-ppa")).code).toBe(75);
    expect(await ci.ticket(3)).toMatchObject({
      status: "waiting",
      waiting_for: "no PPA is free: 2 reserved",
    });
    await ci.ok("land");
    expect((await ci.ticket(3)).status).toBe("done");
  });

  test("with an empty pool it says how to fill it", async () => {
    ci.sql("DELETE FROM ppa");
    await ci.create("hello");
    expect(await ci.run("assign-ppa")).toMatchObject({
      code: 75,
      stderr: saying(
        "no PPA is free: the pool is empty (`ubuntu-ci ppa populate`",
      ),
    });
  });

  test("what a person has to put right costs no retry", async () => {
    // The real builder cannot begin without a base.
    ci.configure({ builder: "session", retry: { limit: 0 } });
    await ci.create("hello");
    for (let pass = 0; pass < 2; pass += 1) {
      expect((await ci.run("land")).code).toBe(78);
      expect(await ci.ticket(1)).toMatchObject({
        status: "waiting",
        waiting_for: saying("ubuntu-ci init"),
      });
    }
    ci.configure({});
    await ci.ok("land");
    expect(
      (await ci.ticket(1)).runs.every(({ attempt }) => attempt === 1),
    ).toBe(true);
  });

  test("a stored source that is gone is our trouble, not the package's", async () => {
    await ci.create("hello");
    await ci.ok("assign-ppa");
    rmSync(ci.stored({ container: "ticket.1", name: "hello_1.0.dsc" }));
    expect(await ci.run("build-source")).toMatchObject({
      code: 78,
      stderr: saying("hello_1.0.dsc"),
    });
    expect(await ci.ticket(1)).toMatchObject({
      status: "set-aside",
      step: { code: 200 },
    });
  });

  test("interrupted, it goes on at the next pass without a retry", async () => {
    writeFileSync(join(ci.root, "held"), "");
    ci.configure({ fake: { builder: `hold@${join(ci.root, "held")}` } });
    await ci.create("hello");
    await ci.ok("assign-ppa");
    ci.stop.abort();
    const { code, stderr } = await ci.run("build-source", "-v", "2");
    expect(code).toBe(75);
    expect(stderr).toContain("the run was interrupted");
    // What was told to stop has not failed.
    expect(stderr).not.toContain("FAILED");
    expect(await ci.ticket(1)).toMatchObject({
      status: "waiting",
      waiting_for: "the run was interrupted",
      artifacts: expect.arrayContaining([
        expect.objectContaining({ name: "hello_1.0_amd64.build" }),
      ]) as unknown,
    });
    ci.stop = new AbortController();
    ci.configure({});
    await ci.ok("land");
    expect((await ci.ticket(1)).status).toBe("done");
  });
});

describe("a ticket asked for by name that has ended", () => {
  test("has failed: that is no success, and retry goes on", async () => {
    ci.configure({ fake: { builder: "fail" } });
    await ci.create("hello");
    await ci.run("land");
    for (const command of ["land", "build-source", "publish"])
      for (const more of [[], ["--dry-run"]])
        expect(await ci.run(command, "--ticket", "1", ...more)).toMatchObject({
          code: 1,
          stderr: saying(ci.line("retry 1")),
        });
  });

  test("is complete: nothing is left to do", async () => {
    await ci.create("hello");
    await ci.ok("land");
    expect(await ci.run("land", "--ticket", "1", "-v", "2")).toMatchObject({
      code: 0,
      stderr: saying("nothing is left to do"),
    });
  });
});

describe("a builder elsewhere", () => {
  test("has the ticket wait for its job, and land when that has ended", async () => {
    ci.configure({ fake: { builder: "remote@1@3600" } });
    await ci.create("hello");
    expect((await ci.run("land")).code).toBe(75);
    expect(await ci.ticket(1)).toMatchObject({
      status: "waiting",
      step: { code: 200 },
      waiting_for: saying(/^pending: job \S+ of the fake builder/),
    });
    expect(await ci.ok("explain", "1")).toContain("build-source is pending");
    expect(await ci.ok("retry", "1")).toContain("is due at once");
    await ci.ok("land");
    expect((await ci.ticket(1)).status).toBe("done");
  });
});

describe("a process that was killed", () => {
  test("in a step loses nothing: the next run takes over", async () => {
    await ci.create("hello");
    await ci.ok("assign-ppa");
    expect(ci.killedAt(200)).toBe(1);
    expect(await ci.ticket(1)).toMatchObject({
      status: "running",
      waiting_for: saying(
        /^process \d+ on \S+ is gone: the next pass goes on$/,
      ),
    });
    expect(await ci.ok("land", "--dry-run")).toContain(
      "ticket 1: build-source",
    );
    expect((await ci.ticket(1)).status).toBe("running");
    await ci.ok("land");
    const { status, runs } = await ci.ticket(1);
    expect(status).toBe("done");
    expect(runs.find(({ outcome }) => outcome === "tmpfail")?.reason).toMatch(
      /process \d+ on .* was gone/,
    );
    expect(readdirSync(join(ci.state, "scratch"))).toEqual([]);
    expect(await ci.ok("locks")).toBe("no locks");
  });

  test("after it had published makes no second revision", async () => {
    await ci.create("hello");
    await ci.ok("land", "--until", "run-tests");
    const database = join(ci.state, "state.sqlite");
    copyFileSync(database, join(ci.root, "before"));
    await ci.ok("publish");
    copyFileSync(join(ci.root, "before"), database);
    expect(ci.killedAt(500)).toBe(1);
    await ci.ok("land");
    expect(await ci.ticket(1)).toMatchObject({
      status: "done",
      archive_revision: 1,
    });
    expect(await ci.ok("archive", "list", "--json")).toContain('"current": 1');
  });

  test("each time until no retry is left ends the ticket", async () => {
    ci.configure({ retry: { limit: 1, firstDelaySeconds: 0 } });
    await ci.create("hello");
    await ci.ok("assign-ppa");
    ci.killedAt(200);
    // Looks at what runs, and so gives up the dead one's lease.
    await ci.run("publish");
    await ci.ok("land", "--until", "100");
    ci.killedAt(200);
    await ci.run("land");
    expect(await ci.ticket(1)).toMatchObject({
      status: "failed",
      failure: { kind: "infrastructure", reason: saying("was gone") },
    });
  });
});

describe("maintenance", () => {
  test("stops what changes something; reading goes on", async () => {
    await ci.create("hello");
    await ci.ok("maintenance", "on", "--reason", "new disk");
    for (const line of ["land", "assign-ppa", "clean-ppas", "cancel 1"])
      expect(await ci.run(...line.split(" "))).toMatchObject({
        code: 75,
        stderr: saying("new disk"),
      });
    expect((await ci.ticket(1)).runs).toEqual([]);
    await ci.ok("maintenance", "off");
    await ci.ok("land");
  });
});
