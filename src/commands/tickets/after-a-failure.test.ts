import { copyFileSync, existsSync, rmSync } from "node:fs";
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
import type { WrittenExplanation } from "./explanation-text.ts";

/** What operators do to a ticket that does not land: cancel, retry, override, explain. */
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

const outcomes = async () =>
  (await ci.ticket(1)).runs.map(
    ({ step, attempt, outcome }) => `${step.code} ${attempt} ${outcome ?? ""}`,
  );

/** Has ticket 1 fail at its tests. */
async function failed(): Promise<void> {
  ci.configure({ fake: { tester: "hello=fail" } });
  await ci.create("hello");
  expect((await ci.run("land")).code).toBe(1);
  ci.configure({});
}

describe("cancel", () => {
  test("ends a waiting or held ticket at once, and its PPA is free for the next", async () => {
    await ci.create("one");
    await ci.create("two", "1.0", "--wait");
    await ci.create("three");
    await ci.ok("assign-ppa");
    expect(await ci.ok("cancel", "1", "--dry-run")).toBe(
      "ticket 1: cancel\n  end the ticket, which is waiting\n  give back ci_pool-001, to be emptied",
    );
    expect((await ci.ticket(1)).status).toBe("waiting");
    const args = ["1", "--reason", "a\nmistake", "-v", "2"];
    expect(await ci.run("cancel", ...args)).toEqual({
      code: 0,
      stdout: "ticket 1 was cancelled\n",
      stderr:
        "ticket 1: end the ticket, which is waiting\nticket 1: give back ci_pool-001, to be emptied\n",
    });
    expect(await ci.ticket(1)).toMatchObject({
      status: "cancelled",
      step: { code: 999 },
      failure: null,
      ppa: null,
      cancelled: { reason: "a mistake" },
    });
    expect((await ci.json("cancel", "2")).document).toMatchObject({
      ticket: { id: 2, cancelled: { reason: null } },
    });
    expect(await ci.ok("status", "1")).toMatch(
      /cancelled by \S+@\S+: a mistake/,
    );
    await ci.ok("land");
    expect((await ci.ticket(3)).status).toBe("done");
  });

  test("refuses a ticket that has ended, or is not there", async () => {
    await ci.create("hello");
    await ci.ok("cancel", "1");
    expect(await ci.run("cancel", "1")).toMatchObject({
      code: 2,
      stderr: saying(
        /ticket 1 has ended already: cancelled by .*\n.*ubuntu-ci retry 1/,
      ),
    });
    await ci.ok("retry", "1");
    await ci.ok("land");
    expect(await ci.run("cancel", "1")).toMatchObject({
      code: 2,
      stderr: saying("it is archive revision 1"),
    });
    expect((await ci.run("cancel", "9")).code).toBe(2);
  });

  test("ends a ticket whose process died", async () => {
    await ci.create("hello");
    await ci.ok("assign-ppa");
    ci.killedAt(200);
    expect((await ci.ticket(1)).status).toBe("running");
    await ci.ok("cancel", "1");
    expect(await ci.ticket(1)).toMatchObject({
      status: "cancelled",
      ppa: null,
    });
  });

  test("asked of a run whose process died afterwards, the next pass ends it", async () => {
    await ci.create("hello");
    await ci.ok("assign-ppa");
    ci.killedAt(200);
    ci.sql(
      "UPDATE ticket SET cancel_by = 'me', cancel_at = '2026-01-01T00:00:00.000Z' WHERE id = 1",
    );
    expect(await ci.ok("status", "1")).toContain("to be cancelled by me");
    await ci.run("land");
    expect(await ci.ticket(1)).toMatchObject({
      status: "cancelled",
      ppa: null,
      cancelled: { by: "me" },
    });
    expect((await outcomes()).at(-1)).toBe("200 1 tmpfail");
  });

  test("agrees with the archive about a publication whose process was killed", async () => {
    await ci.create("hello");
    await ci.ok("land", "--until", "run-tests");
    const database = join(ci.state, "state.sqlite");
    copyFileSync(database, join(ci.root, "before"));
    await ci.ok("publish");
    copyFileSync(join(ci.root, "before"), database);
    ci.killedAt(500);
    expect(await ci.run("cancel", "1")).toMatchObject({
      code: 2,
      stderr: saying(
        "ticket 1 was published before it could be cancelled: archive revision 1",
      ),
    });
    expect(await ci.ticket(1)).toMatchObject({
      status: "done",
      archive_revision: 1,
      cancelled: null,
    });
  });

  test("of a publication that was not made ends the ticket", async () => {
    await ci.create("hello");
    await ci.ok("land", "--until", "run-tests");
    ci.killedAt(500);
    expect(await ci.ok("cancel", "1")).toBe("ticket 1 was cancelled");
    expect(await ci.ticket(1)).toMatchObject({
      status: "cancelled",
      archive_revision: null,
    });
    expect(await ci.ok("archive", "list", "--json")).toContain('"current": 0');
  });
});

describe("retry", () => {
  test("goes on at the failed step, in a PPA filled again", async () => {
    await failed();
    await ci.ok("clean-ppas");
    expect(await ci.ok("retry", "1", "--dry-run")).toContain(
      "go on at Image Testing (run-tests)",
    );
    expect((await ci.ticket(1)).status).toBe("failed");
    await ci.ok("retry", "1");
    expect(await ci.ticket(1)).toMatchObject({
      status: "waiting",
      step: { code: 100 },
      resume_step: { code: 400 },
      failure: null,
    });
    expect(await ci.ok("status", "1")).toContain(
      "goes on at Image Testing, once it has a PPA",
    );
    expect(await ci.ok("land", "--dry-run")).toContain(
      "fill it again with hello_1.0.dsc, hello_1.0_amd64.deb",
    );
    await ci.ok("assign-ppa");
    expect(
      existsSync(join(ci.state, "ppa/ci_pool-001/pool/hello_1.0_amd64.deb")),
    ).toBe(true);
    await ci.ok("land");
    expect(await outcomes()).toEqual([
      "100 1 passed",
      "200 1 passed",
      "300 1 passed",
      "400 1 failed",
      "100 2 passed",
      "400 2 passed",
      "500 1 passed",
    ]);
    const names = (await ci.ticket(1)).artifacts.map(({ name }) => name);
    expect(names).toContain("hello.autopkgtest.log");
    expect(names).toContain("hello.autopkgtest.attempt2.log");
  });

  test("goes back to an earlier step, and to the one that makes what is gone", async () => {
    await failed();
    await ci.ok("retry", "1", "--from", "build-image");
    ci.configure({ fake: { tester: "fail" } });
    await ci.run("land");
    expect((await outcomes()).slice(4)).toEqual([
      "100 2 passed",
      "300 2 passed",
      "400 2 failed",
    ]);
    rmSync(ci.stored({ container: "ticket.1", name: "hello_1.0_amd64.deb" }));
    expect(await ci.run("retry", "1", "--from", "400")).toMatchObject({
      code: 2,
      stderr: saying(ci.line("retry 1 --from build-source")),
    });
    expect(await ci.ok("retry", "1")).toContain(
      "go on at Package Building (build-source), because its built packages are gone",
    );
    ci.configure({});
    await ci.ok("land");
    expect((await ci.ticket(1)).status).toBe("done");
  });

  test("makes a retry due at once", async () => {
    const later = { retry: { limit: 3, firstDelaySeconds: 3600 } };
    ci.configure({ ...later, fake: { builder: "tmpfail" } });
    await ci.create("hello");
    await ci.run("land");
    ci.configure(later);
    expect(await ci.ok("retry", "1")).toContain("due at once");
    await ci.ok("land");
    expect((await ci.ticket(1)).status).toBe("done");
  });

  test("is refused where it makes no sense, with what to do instead", async () => {
    ci.configure({ fake: { tester: "fail" } });
    await ci.create("hello");
    expect(await ci.run("retry", "1")).toMatchObject({
      code: 2,
      stderr: saying("has not failed"),
    });
    await ci.run("land");
    expect(await ci.run("retry", "1", "--from", "publish")).toMatchObject({
      code: 2,
      stderr: saying(
        `\`${ci.line("override 1 --ignore-step run-tests --reason TEXT")}\`, then \`${ci.line("retry 1")}\``,
      ),
    });
    await ci.create("hello");
    expect(await ci.run("retry", "1")).toMatchObject({
      code: 2,
      stderr: saying("hello 1.0 is in flight as ticket 2"),
    });
    ci.configure({});
    await ci.ok("land");
    expect(await ci.run("retry", "1")).toMatchObject({
      code: 2,
      stderr: saying("the archive has hello 1.0"),
    });
  });

  test("a ticket that waits for its PPA again can be held, and cancelled", async () => {
    await failed();
    await ci.ok("retry", "1");
    await ci.ok("update_ticket", "1", "--hold");
    await ci.ok("land");
    expect((await ci.ticket(1)).status).toBe("held");
    await ci.ok("cancel", "1");
    await ci.ok("retry", "1");
    expect((await ci.ticket(1)).resume_step?.code).toBe(400);
  });
});

describe("override", () => {
  const ignoring = (...args: string[]) =>
    ci.ok("override", "1", ...args, "--reason", "known");

  test("a failed test that is ignored doesn't count, and the way on is printed", async () => {
    await failed();
    ci.configure({ fake: { tester: "fail" } });
    expect(await ci.ok("override", "1")).toBe("no overrides");
    const target = ["--ignore-test", "hello/fake"];
    expect(await ignoring(...target, "--dry-run")).toContain(
      "record ignore-test hello/fake",
    );
    expect((await ci.ticket(1)).overrides).toEqual([]);
    expect(await ignoring(...target)).toContain(
      ci.line("retry 1 --from run-tests"),
    );
    await ci.ok("retry", "1", "--from", "run-tests");
    await ci.ok("land");
    expect(await ci.ticket(1)).toMatchObject({
      status: "done",
      tests: [{ result: "fail", detail: saying(/^ignored: known/) }],
    });
    expect(await ci.ok("status", "1")).toMatch(
      /ignore-test hello\/fake: ignored: known \(by /,
    );
  });

  test("an ignored step is passed over without running", async () => {
    ci.configure({ fake: { imager: "fail", tester: "fail" } });
    await ci.create("hello");
    await ci.run("land");
    expect(await ignoring("--ignore-step", "300")).toContain(
      ci.line("retry 1 --from build-image"),
    );
    await ci.ok("retry", "1");
    await ci.ok("land");
    const { status, runs } = await ci.ticket(1);
    expect(status).toBe("done");
    expect(runs.find((run) => run.step.code === 400)?.reason).toMatch(
      /there is no image to test on; ignore-step build-image/,
    );
  });

  test("an ignored architecture holds nothing back, from the build on", async () => {
    ci.configure({ fake: { builder: "fail", imager: "fail", tester: "fail" } });
    await ci.create("hello");
    const reason = ["--reason", "x"];
    const other = await ci.run(
      "override",
      "1",
      "--ignore-arch",
      "z80",
      ...reason,
    );
    expect(other.code).toBe(2);
    const mine = /which is (\S+)/.exec(other.stderr)?.[1] ?? "";
    await ignoring("--ignore-arch", mine);
    await ci.ok("land");
    expect(await ci.ticket(1)).toMatchObject({
      status: "done",
      archive_revision: 1,
    });
    expect(await ci.ok("archive", "show", "1")).toBe(
      "bookworm  source  hello  1.0  source",
    );
  });

  test("is undone, and then counts no more", async () => {
    ci.configure({ fake: { tester: "fail" } });
    await ci.create("hello");
    await ignoring("--ignore-step", "run-tests");
    await ignoring("--ignore-test", "hello");
    expect((await ci.run("override", "1", "--undo")).code).toBe(2);
    const step = ["--undo", "--ignore-step", "run-tests"];
    expect(await ci.ok("override", "1", ...step)).toBe(
      "ticket 1: ignore-step run-tests is undone",
    );
    expect(await ci.ok("override", "1", "--undo", "2", "--dry-run")).toBe(
      "ticket 1: override\n  undo ignore-test hello",
    );
    await ci.ok("override", "1", "--undo");
    expect((await ci.run("override", "1", "--undo", "1")).code).toBe(2);
    expect(
      (await ci.ok("override", "1")).match(/known; undone by \S+@/g),
    ).toHaveLength(2);
    expect((await ci.run("land")).code).toBe(1);
  });

  test("a test that has never run is warned of", async () => {
    await failed();
    const args = ["--ignore-test", "hello/smoke", "--reason", "x"];
    expect(await ci.run("override", "1", ...args)).toMatchObject({
      code: 0,
      stderr: saying(
        "warning: no test smoke of hello has run so far; there were fake",
      ),
    });
  });

  test("is refused when it names nothing, too much, or gives no reason", async () => {
    await ci.create("hello");
    const reason = ["--reason", "x"];
    for (const [args, message] of [
      [["--ignore-step", "tea", ...reason], '"tea" is not a step'],
      [["--ignore-step", "publish", ...reason], "cannot be ignored"],
      [["--ignore-test", "bash", ...reason], "has no source package"],
      [["--ignore-test", "hello"], "an override needs a reason"],
      [reason, "nothing to ignore or allow was named"],
      [
        ["--ignore-test", "hello", "--ignore-step", "400", ...reason],
        "one thing at a time",
      ],
      [["--undo", "x"], "is not the number of an override"],
      [["--undo", "1", "--ignore-step", "400"], "not both"],
    ] as const)
      expect(await ci.run("override", "1", ...args)).toMatchObject({
        code: 2,
        stderr: saying(message),
      });
  });
});

describe("explain", () => {
  const explain = async (id: number) =>
    (await ci.json("explain", String(id))).document as WrittenExplanation;

  /** Does what it says would unblock a ticket. */
  async function unblock(id: number): Promise<void> {
    const [program, ...args] = ((await explain(id)).unblock ?? "").split(" ");
    expect(program).toBe("ubuntu-ci");
    await ci.ok(...args);
  }

  test("waiting, held, in maintenance, its turn, published: each with the command that helps", async () => {
    await ci.create("one");
    await ci.create("two");
    await ci.create("three", "1.0", "--wait");
    expect(await explain(2)).toMatchObject({
      ticket: 2,
      blocked: true,
      step: { code: 100, name: "Queued" },
      because: ["ticket 1 is before it in the queue", expect.anything()],
      unblock: ci.line("update_ticket 2 --priority 1"),
    });
    await ci.ok("assign-ppa");
    expect((await explain(2)).because[0]).toBe(
      "it waits behind ticket 1, which is at Package Building (waiting)",
    );
    expect(await explain(3)).toMatchObject({
      because: ["it is a draft: it was created with --wait"],
      next: null,
    });
    await unblock(3);
    expect((await ci.ticket(3)).status).toBe("waiting");
    await ci.ok("maintenance", "on", "--reason", "new disk");
    expect(await explain(1)).toMatchObject({
      blocked: true,
      because: [saying(/new disk$/), expect.anything()],
    });
    await unblock(1);
    expect(await explain(1)).toMatchObject({
      blocked: false,
      next: { action: "the next pass of build-source or land works on it" },
    });
    await unblock(2);
    expect(await explain(1)).toMatchObject({
      blocked: false,
      because: [saying(/^it is published as archive revision 1/)],
      unblock: null,
    });
    const text = await ci.ok("explain", "2");
    expect(text).toMatch(
      /^ticket 2 is at Queued \(100\): .*\n\nbecause\n {2}.*[^]*\nwhat you can do\n {2}ubuntu-ci /,
    );
    expect(await ci.run("explain", "9")).toMatchObject({
      code: 2,
      stderr: saying("there is no ticket 9"),
    });
  });

  test("no free PPA, retry due, failed, cancelled, overridden", async () => {
    const wide = { ppa: { pool: 1 }, concurrency: 2 };
    ci.sql("DELETE FROM ppa WHERE name = 'ci_pool-002'");
    ci.configure(wide);
    await ci.create("one");
    await ci.create("two");
    await ci.ok("assign-ppa");
    await ci.run("assign-ppa");
    expect(await explain(2)).toMatchObject({
      blocked: true,
      because: ["no PPA is free: ci_pool-001 is reserved by ticket 1"],
      unblock: ci.line("ppa add ci_pool-002"),
    });
    ci.killedAt(200);
    expect((await explain(1)).because[0]).toMatch(
      /^process \d+ on \S+, which worked on build-source, is gone$/,
    );
    ci.configure({
      ...wide,
      fake: { builder: "tmpfail" },
      retry: { firstDelaySeconds: 600 },
    });
    await ci.run("build-source");
    const due = await explain(1);
    expect(due).toMatchObject({ blocked: true, unblock: ci.line("retry 1") });
    expect(due.next?.at).toBe((await ci.ticket(1)).retry_at);
    ci.configure({
      ...wide,
      fake: { builder: "tmpfail" },
      retry: { limit: 0 },
    });
    await unblock(1);
    await ci.run("build-source");
    expect((await explain(1)).because[0]).toContain(
      "infrastructure is to blame",
    );
    ci.configure({ ...wide, fake: { tester: "fail" } });
    await unblock(1);
    await ci.run("land", "--ticket", "1");
    expect((await explain(1)).because[0]).toContain("the package is at fault");
    const step = ["--ignore-step", "run-tests", "--reason", "known"];
    await ci.ok("override", "1", ...step);
    expect(await explain(1)).toMatchObject({
      because: [
        expect.anything(),
        "what it failed at is ignored since",
        saying(/^ignore-step run-tests: ignored: known \(by /),
      ],
      unblock: ci.line("retry 1 --from run-tests"),
    });
    await ci.ok("cancel", "2", "--reason", "a mistake");
    expect(await explain(2)).toMatchObject({
      because: [saying(/^cancelled by .*: a mistake, at /)],
      unblock: ci.line("retry 2"),
    });
  });
});

test("an override with an end is said so everywhere, and counts no longer once that has passed", async () => {
  await failed();
  const args = ["--ignore-test", "hello", "--reason", "known"];
  for (const [until, message] of [
    ["2020-01-01", "has passed already"],
    ["soon", "It must be a date"],
  ] as const)
    expect(
      await ci.run("override", "1", ...args, "--until", until),
    ).toMatchObject({ code: 2, stderr: saying(message) });
  const bare = await ci.run("override", "1", "--until", "7d");
  expect(bare.stderr).toContain("nothing to ignore or allow was named");
  expect((await ci.ticket(1)).overrides).toEqual([]);

  const until = "2999-01-01T00:00:00.000Z";
  const given = ["override", "1", ...args, "--until", "2999-01-01"];
  expect(await ci.ok(...given, "--dry-run")).toContain(
    "until 2999-01-01 00:00:00",
  );
  await ci.ok(...given);
  for (const shown of [
    ["override", "1"],
    ["status", "1"],
    ["explain", "1"],
  ])
    expect(await ci.ok(...shown)).toContain("until 2999-01-01 00:00:00");
  expect((await ci.ticket(1)).overrides).toMatchObject([
    { until, ended: false },
  ]);

  ci.sql("UPDATE override SET until = '2026-01-01T00:00:00.000Z'");
  expect((await ci.ticket(1)).overrides).toMatchObject([{ ended: true }]);
  expect(await ci.ok("override", "1")).toContain("; ended 2026-01-01 00:00:00");
  expect(await ci.ok("status", "1")).not.toContain("ignore-test hello");
  expect(await ci.ok("explain", "1")).toContain(
    "ignore-test hello does not count any more: it ended 2026-01-01 00:00:00",
  );
  ci.configure({ fake: { tester: "hello=fail" } });
  await ci.ok("retry", "1", "--from", "run-tests");
  expect((await ci.run("land")).code).toBe(1);
  await ci.ok("override", "1", ...args);
  await ci.ok("retry", "1", "--from", "run-tests");
  await ci.ok("land");
  expect((await ci.ticket(1)).status).toBe("done");
});
