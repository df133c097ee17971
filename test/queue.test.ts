import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
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

import type { WrittenExplanation } from "../src/commands/tickets/explanation-text.ts";
import type { Ticket } from "../src/lib/domain/ticket.ts";
import type { StepPlan } from "../src/lib/steps/step-definition.ts";
import { fakeBackends, Installation, program } from "./support/program.ts";

/** Who may run when, and what is said about it: the whole program on fake backends. */
const fakes = {
  ...fakeBackends,
  retry: { firstDelaySeconds: 0 },
};

let template: Installation;
let ci: Installation;

beforeAll(() => {
  template = new Installation(fakes);
  template.ok("init");
  template.addUploader();
});

afterAll(() => template.remove());

function install(config: object): void {
  ci = new Installation({ ...fakes, ...config }, undefined, template);
}

const create = (names: string | string[], version = "1.0", ...more: string[]) =>
  ci.ok(
    "create_ticket",
    "-t",
    `land ${String(names)}`,
    ...[names]
      .flat()
      .flatMap((name) => ["-s", ci.upload(name, version, program(name))]),
    ...more,
  );

async function ended(child: ReturnType<Installation["start"]>) {
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stderr };
}

function built({ runs }: Ticket): readonly [number, number] {
  const run = runs.find(({ step }) => step.code === 200);
  if (run?.finished_at == null) throw new Error("it was not built");
  return [Date.parse(run.started_at), Date.parse(run.finished_at)];
}

const overlap = (
  [from, to]: readonly [number, number],
  [otherFrom, otherTo]: readonly [number, number],
) => from < otherTo && otherFrom < to;

afterEach(() => ci.remove());

describe("tickets side by side", () => {
  beforeEach(() =>
    install({
      concurrency: 2,
      fake: { builder: "slow@700,big=slow@60000,huge=slow@60000" },
    }),
  );

  test("land works on as many tickets as may be in flight, and on those that waited behind them", () => {
    create("one");
    create("two");
    create("three");
    const { code, stderr } = ci.run("land", "-v", "2");
    expect(code).toBe(0);
    expect(stderr).toContain("ticket 3: publish passed: archive revision 3");
    const [one, two, three] = ["1", "2", "3"].map((id) => ci.ticket(id));
    expect(one?.expected).toBeNull();
    if (one === undefined || two === undefined || three === undefined)
      throw new Error("a ticket is missing");
    expect([one.status, two.status, three.status]).toEqual([
      "done",
      "done",
      "done",
    ]);
    expect(overlap(built(one), built(two))).toBe(true);
    expect(
      [one, two, three].map((ticket) => ticket.archive_revision).sort(),
    ).toEqual([1, 2, 3]);
    expect(ci.ok("ppa", "list")).not.toMatch(/reserved|dirty|cleaning/);
  });

  test("tickets with a source package in common land one after the other, in the order of the queue", () => {
    create("one");
    create(["one", "two"], "2.0");
    create("two", "3.0");
    ci.ok("land");
    const [one, both, two] = ["1", "2", "3"].map((id) => ci.ticket(id));
    expect([one, both, two].map((t) => t?.archive_revision)).toEqual([1, 2, 3]);
  });

  test("a ticket asked for by name does not overtake an earlier version of its source", () => {
    create("one");
    create(["one", "two"], "2.0");
    create("three");
    const { code, stderr } = ci.run("assign-ppa", "--ticket", "2");
    expect({ code, stderr }).toEqual({
      code: 75,
      stderr: expect.stringContaining(
        "ticket 2 waits behind ticket 1",
      ) as string,
    });
    ci.ok("update_ticket", "2", "--priority", "1");
    ci.ok("assign-ppa", "--ticket", "2");
    expect(ci.run("land", "--ticket", "1").code).toBe(75);
    ci.ok("assign-ppa", "--ticket", "3");
  });

  test("land --dry-run names a PPA for each ticket that starts now, never the same twice", () => {
    create("one");
    create("one", "2.0");
    create("two");
    create("three", "1.0", "--priority", "1");
    const { plan } = JSON.parse(ci.ok("land", "--dry-run", "--json")) as {
      plan: { tickets: { ticket: number; actions: string[] }[] };
    };
    expect(
      plan.tickets.map(({ ticket, actions }) => [ticket, actions[0]]),
    ).toEqual([
      [4, "reserve ci_pool-001"],
      [1, "reserve ci_pool-002"],
      [2, "reserve a PPA, when its turn has come and one is free"],
      [3, "reserve a PPA, when its turn has come and one is free"],
    ]);
    expect(ci.ticket("4").step.code).toBe(100);
  });

  test("--dry-run names what the run then works on: what a killed process left, not what waits for its retry", () => {
    ci.remove();
    install({
      concurrency: 2,
      retry: { firstDelaySeconds: 600 },
      fake: { builder: "one=tmpfail" },
    });
    create("one");
    create("two");
    expect(ci.run("land", "--ticket", "1").code).toBe(75);
    ci.ok("assign-ppa");
    ci.env["UBUNTU_CI_CRASH_AT"] = "lease.taken";
    expect(ci.run("build-source").code).toBeNull();
    delete ci.env["UBUNTU_CI_CRASH_AT"];
    const printed = (...args: string[]) =>
      JSON.parse(ci.ok(...args, "--json")) as {
        plan: StepPlan & { tickets?: StepPlan[] };
      };
    const { plan } = printed("build-source", "--dry-run");
    expect(plan.ticket).toBe(2);
    expect(printed("land", "--dry-run").plan.tickets).toEqual([plan]);
    expect(ci.ticket("2").status).toBe("running");
    const impatient = ci.run("land", "--dry-run", "--ticket", "1");
    expect(impatient.code).toBe(75);
    expect(impatient.stderr).toContain("ticket 1 is not ready");
    expect(printed("build-source").plan).toEqual(plan);
    expect(ci.ticket("2").step.code).toBe(300);
  });

  test("a ticket that has its PPA already goes on, whoever waits for one before it in the queue", () => {
    ci.remove();
    ci = new Installation({ ...fakes, ppa: { pool: 1 }, concurrency: 2 });
    ci.ok("init");
    ci.addUploader();
    create("one", "1.0", "--wait");
    create("two");
    ci.env["UBUNTU_CI_CRASH_AT"] = "run.closed";
    expect(ci.run("assign-ppa").code).toBeNull();
    delete ci.env["UBUNTU_CI_CRASH_AT"];
    ci.ok("update_ticket", "1", "--queue");
    ci.ok("land");
    expect(["1", "2"].map((id) => ci.ticket(id).status)).toEqual([
      "done",
      "done",
    ]);
  });

  test("a step command takes the next free ticket while another copy works, and no third one runs", async () => {
    create("big");
    create("huge");
    ci.ok("assign-ppa");
    ci.ok("assign-ppa");
    const first = ci.start("build-source", "-v", "2");
    await once(first.stderr, "data");
    const second = ci.start("build-source", "-v", "2");
    await once(second.stderr, "data");
    const locks = ci.ok("locks");
    expect(locks).toMatch(/^build-source +alive +process/m);
    expect(locks).toMatch(/^build-source\.2 +alive +process/m);
    expect(ci.run("build-source")).toMatchObject({
      code: 75,
      stderr: expect.stringContaining(
        "build-source is running already",
      ) as string,
    });
    expect(["1", "2"].map((id) => ci.ticket(id).status)).toEqual([
      "running",
      "running",
    ]);
    const both = Promise.all([ended(first), ended(second)]);
    first.kill();
    second.kill();
    expect((await both).map(({ code }) => code)).toEqual([75, 75]);
    expect(ci.ok("locks")).toBe("no locks");
  });

  test("two processes that publish at the same time make two revisions", async () => {
    create("one");
    create("two");
    ci.ok("land", "--until", "run-tests");
    const both = await Promise.all(
      ["1", "2"].map((id) => ended(ci.start("publish", "--ticket", id))),
    );
    expect(both.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ""],
      [0, ""],
    ]);
    const revisions = ["1", "2"].map((id) => ci.ticket(id).archive_revision);
    expect(revisions.sort()).toEqual([1, 2]);
    const shown = ci.ok("archive", "show", "2");
    expect(shown).toContain("one  1.0");
    expect(shown).toContain("two  1.0");
  });
});

describe("explain", () => {
  const explain = (id: string) =>
    JSON.parse(ci.ok("explain", id, "--json")) as WrittenExplanation;
  const configure = (config: object) =>
    writeFileSync(
      join(ci.root, "config.json"),
      JSON.stringify({ ...fakes, ...config }),
    );
  /** Does what it says would unblock a ticket. */
  const unblock = (id: string) => {
    const [program, ...args] = (explain(id).unblock ?? "").split(" ");
    expect(program).toBe("ubuntu-ci");
    return ci.ok(...args);
  };

  test("waiting, held, maintenance, its turn, published: each with the command that helps", () => {
    install({});
    create("one");
    create("two");
    create("three", "1.0", "--wait");
    expect(explain("2")).toMatchObject({
      ticket: 2,
      blocked: true,
      step: { code: 100, name: "Queued" },
      because: ["ticket 1 is before it in the queue", expect.anything()],
      unblock: ci.line("update_ticket 2 --priority 1"),
    });
    ci.ok("assign-ppa");
    expect(explain("2").because[0]).toBe(
      "it waits behind ticket 1, which is at Package Building (waiting)",
    );
    expect(explain("3")).toMatchObject({
      because: ["it is a draft: it was created with --wait"],
      next: null,
    });
    unblock("3");
    expect(ci.ticket("3").status).toBe("waiting");
    ci.ok("maintenance", "on", "--reason", "new disk");
    expect(explain("1")).toMatchObject({
      blocked: true,
      because: [expect.stringMatching(/new disk$/), expect.anything()],
    });
    unblock("1");
    expect(explain("1")).toMatchObject({
      blocked: false,
      next: { action: "the next pass of build-source or land works on it" },
    });
    unblock("2");
    expect(explain("1")).toMatchObject({
      blocked: false,
      because: [
        expect.stringMatching(/^it is published as archive revision 1/),
      ],
      unblock: null,
    });
    expect(ci.ok("explain", "2")).toContain("what you can do");
    expect(ci.run("explain", "9")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("there is no ticket 9") as string,
    });
  });

  test("no free PPA, building, retry due, failed, cancelled, overridden", async () => {
    const config = { ...fakes, ppa: { pool: 1 }, concurrency: 2 };
    ci = new Installation({ ...config, fake: { builder: "slow@60000" } });
    ci.ok("init");
    ci.addUploader();
    create("one");
    create("two");
    ci.ok("assign-ppa");
    ci.run("assign-ppa");
    expect(explain("2")).toMatchObject({
      blocked: true,
      because: ["no PPA is free: ci_pool-001 is reserved by ticket 1"],
      unblock: ci.line("ppa add ci_pool-002"),
    });
    const building = ci.start("build-source", "-v", "2");
    await once(building.stderr, "data");
    expect(explain("1")).toMatchObject({
      blocked: false,
      because: [expect.stringContaining(`process ${building.pid ?? ""} on`)],
      next: { action: "when it passes, build-image follows" },
    });
    const end = ended(building);
    building.kill();
    await end;
    expect(explain("1").because[0]).toContain("the run was interrupted");
    configure({
      fake: { builder: "tmpfail" },
      retry: { firstDelaySeconds: 600 },
    });
    ci.run("build-source");
    const due = explain("1");
    expect(due).toMatchObject({ blocked: true, unblock: ci.line("retry 1") });
    expect(due.next?.at).toBe(ci.ticket("1").retry_at);
    configure({ fake: { builder: "tmpfail" }, retry: { limit: 0 } });
    unblock("1");
    ci.run("build-source");
    expect(explain("1")).toMatchObject({
      because: [
        expect.stringContaining("infrastructure is to blame"),
        expect.anything(),
      ],
      next: null,
    });
    configure({ fake: { tester: "fail" } });
    unblock("1");
    ci.run("land", "--ticket", "1");
    expect(explain("1").because[0]).toContain("the package is at fault");
    ci.ok("override", "1", "--ignore-step", "run-tests", "--reason", "known");
    expect(explain("1")).toMatchObject({
      because: [
        expect.anything(),
        "what it failed at is ignored since",
        expect.stringMatching(/^ignore-step run-tests: ignored: known \(by /),
      ],
      unblock: ci.line("retry 1 --from run-tests"),
    });
    unblock("1");
    ci.ok("land", "--ticket", "1");
    expect(ci.ticket("1").status).toBe("done");
    ci.ok("cancel", "2", "--reason", "a mistake");
    expect(explain("2")).toMatchObject({
      because: [expect.stringMatching(/^cancelled by .*: a mistake, at /)],
      unblock: ci.line("retry 2"),
    });
  });
});

test("the report shows the time a waiting ticket can expect, as status does, and why there is none", () => {
  install({});
  const page = (path: string) =>
    readFileSync(join(ci.state, "report", path), "utf8");
  const shown = (id: number) =>
    (JSON.parse(page(`tickets/${id}/index.json`)) as { ticket: Ticket }).ticket;
  create("first");
  ci.ok("shepherd-report");
  expect(page("tickets/1/index.html")).toContain(
    "No estimate of when it will be done: it takes 5 landed tickets, and there are 0",
  );
  expect(page("index.html")).not.toContain("complete ");
  for (const name of ["b", "c", "d", "e"]) create(name.repeat(3));
  ci.ok("land");
  create("next");
  create("last");
  ci.ok("update_ticket", "7", "--hold");
  ci.ok("shepherd-report");
  expect(shown(1)).not.toHaveProperty("expected");
  expect(shown(6).expected).toMatchObject({ landings: 5, unknown: null });
  expect(Object.keys(shown(6).expected ?? {})).toEqual(
    Object.keys(ci.ticket("6").expected ?? {}),
  );
  expect(shown(7).expected).toBeNull();
  expect(page("tickets/6/index.html")).toMatch(
    /Expected: starts any moment, complete (?:any moment|(?:by|at|between) <time .*<\/time>) \(by the 5 tickets that landed before\)/,
  );
  expect(
    page("index.html").match(/starts any moment, complete /g),
  ).toHaveLength(1);
});
