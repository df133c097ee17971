import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import {
  archiveOf,
  distributionOf,
  imagerOf,
  poolOf,
  testerOf,
} from "../backends/kinds.ts";
import type {
  BuildJob,
  RemoteBuilder,
  SourceResult,
} from "../backends/builder/builder.ts";
import { createFakeBuilder } from "../backends/builder/fake.ts";
import { localStore } from "../backends/store/local-store.ts";
import { configOf } from "../config/config.ts";
import { explain } from "../domain/explain/explain.ts";
import { statePaths } from "../host/paths.ts";
import { makeDatabase } from "../state/database.ts";
import { listEvents } from "../state/events.ts";
import { hasWork } from "../state/has-work.ts";
import { oldestWaiting } from "../state/health.ts";
import { ticketsOnTheirWay } from "../state/finished-tickets.ts";
import { addPpa } from "../state/ppas.ts";
import { startOver, resumeRestoredState } from "../state/snapshot.ts";
import { insertTicket, nextTicketId } from "../state/ticket-changes.ts";
import { getTicket } from "../state/tickets.ts";
import { situationOf } from "../tickets/situation.ts";
import { cancel } from "./cancel.ts";
import { cleanPpas } from "./clean-ppas.ts";
import type { Engine } from "./engine.ts";
import { land, planLand } from "./land.ts";
import { retry } from "./retry.ts";
import { runStep } from "./run-step.ts";

const minute = 60_000;
const inAnHour = () => new Date(Date.now() + 60 * minute).toISOString();

/** Somebody else's build farm, as the test has it. */
class Farm implements RemoteBuilder {
  readonly name = "the farm";
  readonly jobs = new Map<
    string,
    { input: BuildJob; submitted: number; state: string }
  >();
  /** How many looks find a job at work, and when it is to be looked at again. */
  looks = 1;
  lookAgainAt: () => string = () => new Date().toISOString();
  outcome: "pass" | "fail" | "tmpfail" = "pass";
  /** What a call waits for before it begins, and before it returns: kills come in between. */
  before: (what: string) => Promise<void> = () => Promise.resolve();
  after: (what: string) => Promise<void> = () => Promise.resolve();
  cancelFails = false;

  async submit(key: string, input: BuildJob): Promise<string> {
    await this.before("submit");
    const { submitted = 0 } = this.jobs.get(key) ?? {};
    this.jobs.set(key, { input, submitted: submitted + 1, state: "" });
    await this.after("submit");
    return `job of ${key}`;
  }

  find(key: string): Promise<string | null> {
    return Promise.resolve(this.jobs.has(key) ? `job of ${key}` : null);
  }

  async look(
    id: string,
    work: Parameters<RemoteBuilder["look"]>[1],
  ): ReturnType<RemoteBuilder["look"]> {
    await this.before("look");
    const job = this.jobs.get(id.replace("job of ", ""));
    if (job === undefined) throw new RangeError(id);
    if (this.looks > 0) {
      this.looks -= 1;
      await this.after("look");
      return { outcome: "pending", lookAgainAt: this.lookAgainAt() };
    }
    const result: SourceResult[] = [];
    for (const source of job.input.waves.flat())
      result.push({
        source: source.source,
        result: await createFakeBuilder(this.outcome).build(
          { ...source, ...job.input },
          work,
        ),
      });
    job.state = " ended";
    await this.after("look");
    return { outcome: "ended", result };
  }

  cancel(id: string): Promise<void> {
    const job = this.jobs.get(id.replace("job of ", ""));
    if (this.cancelFails || job === undefined)
      return Promise.reject(new Error("the farm is away"));
    if (job.state === "") job.state = " cancelled";
    return Promise.resolve();
  }

  /** How often each job was submitted, and whether it was cancelled. */
  get known(): string[] {
    return [...this.jobs.values()].map(
      ({ submitted, state }) => `${submitted}${state}`,
    );
  }
}

let folder: string;
let engine: Engine;
let farm: Farm;
const signal = new AbortController().signal;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "uci-pending-"));
  const paths = statePaths(folder);
  const config = configOf(
    {
      series: ["bookworm"],
      builder: "fake",
      imager: "fake",
      tester: "fake",
      archiveKeeper: "fake",
      retry: { limit: 1, firstDelaySeconds: 0 },
    },
    null,
  );
  for (const room of [paths.run, paths.locks, paths.scratch, paths.store])
    mkdirSync(room, { recursive: true });
  const db = makeDatabase(paths.database);
  db.pragma("synchronous = OFF");
  farm = new Farm();
  const archive = await archiveOf(config).open(paths, config);
  await archive.init(["bookworm"]);
  addPpa(db, "ci_pool-001", "test");
  addPpa(db, "ci_pool-002", "test");
  engine = {
    db,
    paths,
    config,
    actor: "dev@test",
    store: localStore(paths.store, null),
    backends: {
      builder: () => Promise.resolve(farm),
      imager: () => imagerOf(config).open(paths, config),
      tester: () => testerOf(config).open(paths, config),
      pool: () => poolOf(config).open(paths, config),
      archive: () => Promise.resolve(archive),
      distribution: () => distributionOf(config).open(paths, config),
    },
  };
  await cleanPpas(engine);
});

afterEach(() => {
  engine.db.close();
  rmSync(folder, { recursive: true });
});

/** A ticket about one source package. */
function create(source = "hello", version = "1.0"): number {
  const dsc = `${source}_${version}.dsc`;
  const id = nextTicketId(engine.db);
  const container = `ticket.${id}`;
  mkdirSync(join(engine.paths.store, container));
  const text = `Format: 3.0 (native)\nSource: ${source}\nBinary: ${source}\nArchitecture: any\nVersion: ${version}\nMaintainer: Dev <dev@example.com>\nChecksums-Sha256:\n ${"0".repeat(64)} 1 ${source}_${version}.tar.xz\nFiles:\n ${"0".repeat(32)} 1 ${source}_${version}.tar.xz\n`;
  writeFileSync(join(engine.paths.store, container, dsc), text);
  const file = { container, name: dsc, size: text.length, sha256: "" };
  insertTicket(
    engine.db,
    id,
    {
      title: source,
      description: "",
      owner: "dev@example.com",
      bug: null,
      series: "bookworm",
      priority: 0,
      draft: false,
      add: [],
      remove: [],
      base_image: null,
      eta: null,
      uploads: [
        {
          source,
          version,
          changedBy: "dev",
          signer: null,
          dsc,
          binaries: [source],
          files: [file],
        },
      ],
    },
    "dev",
    () => undefined,
  );
  return id;
}

const ticket = (id: number) => getTicket(engine.db, id);
const pass = () => land(engine, { signal });
const outcomes = async () =>
  (await pass()).steps.map(({ step, outcome }) => `${step} ${outcome}`);
const whats = (id: number) =>
  listEvents(engine.db, { ticket: id })
    .filter(({ subject }) => subject === "ticket")
    .map(({ what, from_state }) => `${what} ${from_state ?? ""}`.trim());
const idle = () => !hasWork(engine.db, [100, 200, 300, 400, 500], 1);
const openJobs = () => engine.db.prepare("SELECT * FROM job").all().length;

/** Makes the look at a pending job due. */
const due = (id: number) => retry(engine, id, undefined);

/** Has the job begun so long ago. */
function age(minutes: number): void {
  engine.db
    .prepare("UPDATE job SET began_at = ?")
    .run(new Date(Date.now() - minutes * minute).toISOString());
}

/**
 * Has the process killed when its step is about to call, or has called, the farm. What this returns lets
 * the killed one go on for all that: its lease is lost, and nothing it says may count.
 */
async function killed(
  when: "before" | "after",
  what: "submit" | "look",
  step: 200 = 200,
): Promise<() => Promise<unknown>> {
  let wake: () => void = () => undefined;
  const asleep = new Promise<void>((done) => (wake = done));
  let reached: () => void = () => undefined;
  const there = new Promise<void>((done) => (reached = done));
  farm[when] = (at) => {
    if (at !== what) return Promise.resolve();
    farm[when] = () => Promise.resolve();
    reached();
    return asleep;
  };
  const run = runStep(engine, step, { signal });
  await there;
  engine.db
    .prepare(
      "UPDATE run SET pid = 1, process_start = 'gone' WHERE finished_at IS NULL",
    )
    .run();
  return () => {
    wake();
    return run;
  };
}

describe("a job that takes several passes", () => {
  test("is submitted once, looked at when it is due, and lands", async () => {
    farm.looks = 3;
    const id = create();
    expect(await outcomes()).toEqual(["100 passed", "200 pending"]);
    expect(await outcomes()).toEqual(["200 pending"]);
    expect(await outcomes()).toEqual(["200 pending"]);
    expect(await outcomes()).toEqual([
      "200 passed",
      "300 passed",
      "400 passed",
      "500 passed",
    ]);
    expect(ticket(id).status).toBe("done");
    expect(farm.known).toEqual(["1 ended"]);
    expect(openJobs()).toBe(0);
    expect(idle()).toBe(true);
    expect(whats(id).filter((what) => what.endsWith("200"))).toEqual([
      "started 200",
      "pending 200",
      "passed 200",
    ]);
    const builds = ticket(id).runs.filter(({ step }) => step.code === 200);
    expect(builds).toMatchObject([{ attempt: 1, outcome: "passed" }]);
  });

  test("leaves a pass nothing to do before its time, and is told of everywhere", async () => {
    farm.lookAgainAt = inAnHour;
    const id = create();
    const { steps, exitCode } = await pass();
    const found = ticket(id);
    const at = found.pending?.look_again_at ?? "";
    expect(Date.parse(at)).toBeGreaterThan(Date.now() + 59 * minute);
    const words = `${found.pending?.job ?? ""} of the farm, looked at again at ${at}`;
    expect(exitCode).toBe(75);
    expect(steps.at(-1)).toMatchObject({
      outcome: "pending",
      waiting: true,
      reason: `job ${words}`,
    });
    expect(found).toMatchObject({
      status: "waiting",
      step: { code: 200 },
      waiting_for: `pending: job ${words}`,
      retry_at: null,
    });
    expect(
      explain(
        situationOf(
          { ...engine, store: () => Promise.resolve(engine.store) },
          found,
        ),
      ),
    ).toMatchObject({
      blocked: false,
      because: [expect.stringContaining("build-source is pending: job")],
      next: { at },
    });
    expect(listEvents(engine.db, { ticket: id }).at(-1)).toMatchObject({
      what: "pending",
      why: `job ${words}`,
    });
    expect(idle()).toBe(true);
    expect(await planLand(engine, {})).toEqual([]);
    expect((await pass()).steps).toEqual([]);
    // It began to wait when it is to be looked at, which is not yet.
    expect(oldestWaiting(engine.db)?.since).toBe(at);
    const [onItsWay] = ticketsOnTheirWay(engine.db).inFlight;
    expect(onItsWay).toMatchObject({
      since: Date.parse(found.pending?.since ?? ""),
      retryAt: null,
    });
    await due(id);
    expect(await planLand(engine, {})).toMatchObject([
      { actions: [expect.stringContaining("look at job")] },
    ]);
    expect((await pass()).exitCode).toBe(0);
  });

  test("keeps its place in flight, and its source package", async () => {
    farm.lookAgainAt = inAnHour;
    create("hello", "1.0");
    create("other", "1.0");
    create("hello", "1.1");
    await pass();
    await pass();
    expect(ticket(2).step.code).toBe(100);
    const wider = {
      ...engine,
      config: configOf({ concurrency: 3, series: ["bookworm"] }, null),
    };
    await runStep(wider, 100, { signal });
    expect(ticket(2).step.code).toBe(200);
    expect(await runStep(wider, 100, { signal })).toBeUndefined();
  });

  test.each([
    ["fail", 999, ["failed"]],
    ["tmpfail", 999, ["tmpfail", "tmpfail"]],
  ] as const)(
    "that ends as %s ends the step so",
    async (outcome, code, ends) => {
      farm.outcome = outcome;
      const id = create();
      for (let passes = 0; passes < 4; passes += 1) await pass();
      expect(ticket(id).step.code).toBe(code);
      const builds = ticket(id).runs.filter(({ step }) => step.code === 200);
      expect(builds.map((run) => run.outcome)).toEqual(ends);
      // Each attempt is a job of its own.
      expect(farm.known).toEqual(ends.map(() => "1 ended"));
      expect(openJobs()).toBe(0);
    },
  );
});

describe("a process that is killed", () => {
  test.each([
    ["before", "submit"],
    ["after", "submit"],
    ["before", "look"],
    ["after", "look"],
  ] as const)(
    "%s its %s has the work done once for all that",
    async (when, what) => {
      const id = create();
      await runStep(engine, 100, { signal });
      const wake = await killed(when, what);
      for (let passes = 0; passes < 3; passes += 1) await pass();
      expect(ticket(id).status).toBe("done");
      // What the killed one still does comes under the same key.
      await wake();
      expect(farm.jobs.size).toBe(1);
      if (when !== "before" || what !== "submit")
        expect(farm.known).toEqual(["1 ended"]);
      await pass();
      expect(openJobs()).toBe(0);
    },
  );

  test("when the job had ended, before that was recorded", async () => {
    farm.looks = 0;
    const id = create();
    await runStep(engine, 100, { signal });
    const wake = await killed("after", "look");
    await pass();
    await wake();
    expect(ticket(id).status).toBe("done");
    expect(farm.known).toEqual(["1 ended"]);
  });

  test("at each look costs no retry in a row", async () => {
    farm.looks = 20;
    const id = create();
    await runStep(engine, 100, { signal });
    for (let looks = 0; looks < 4; looks += 1) {
      const wake = await killed("before", "look");
      await runStep(engine, 200, { signal });
      await wake();
    }
    expect(ticket(id)).toMatchObject({ step: { code: 200 }, failure: null });
    expect(farm.known).toEqual(["1"]);
  });
});

describe("a pending ticket", () => {
  test("that is cancelled has its job cancelled", async () => {
    farm.lookAgainAt = inAnHour;
    const id = create();
    await pass();
    const plan = await cancel(engine, id, null);
    expect(plan.actions.join("\n")).toContain("of the farm");
    expect(ticket(id)).toMatchObject({ step: { code: 999 }, pending: null });
    expect(farm.known).toEqual(["1 cancelled"]);
    expect(whats(id).slice(-2)).toEqual(["cancelled 200", "job cancelled 200"]);
    expect(openJobs()).toBe(0);
  });

  test("that is cancelled while the farm is away has it cancelled by a later pass", async () => {
    farm.lookAgainAt = inAnHour;
    const id = create();
    await pass();
    farm.cancelFails = true;
    await cancel(engine, id, null);
    expect(whats(id).at(-1)).toBe("job not cancelled 200");
    expect(idle()).toBe(true);
    farm.cancelFails = false;
    // As when a process was killed before it could cancel it.
    engine.db.prepare("UPDATE job SET look_at = NULL").run();
    expect(idle()).toBe(false);
    await pass();
    expect(farm.known).toEqual(["1 cancelled"]);
    expect(openJobs()).toBe(0);
  });

  test("whose job was submitted by a process that was killed is cancelled by its key", async () => {
    const id = create();
    await runStep(engine, 100, { signal });
    const wake = await killed("after", "submit");
    await cancel(engine, id, null);
    expect(farm.known).toEqual(["1 cancelled"]);
    await wake();
    await pass();
    expect(openJobs()).toBe(0);
  });

  test("whose submission comes through after it was cancelled has that cancelled too", async () => {
    const id = create();
    await runStep(engine, 100, { signal });
    const wake = await killed("before", "submit");
    await cancel(engine, id, null);
    expect(ticket(id).step.code).toBe(999);
    await wake();
    await pass();
    expect(farm.known).toEqual(["1 cancelled"]);
    expect(openJobs()).toBe(0);
  });

  test("whose job has had the time of the step is retried with a new one, then fails", async () => {
    farm.looks = 99;
    farm.lookAgainAt = inAnHour;
    const id = create();
    await pass();
    age(100_000);
    await due(id);
    await pass();
    expect(farm.known).toEqual(["1 cancelled"]);
    const last = ticket(id).runs.at(-1);
    expect(last?.outcome).toBe("tmpfail");
    expect(last?.reason).toContain("ran past its time limit of");
    await pass();
    age(100_000);
    await due(id);
    await pass();
    expect(ticket(id).failure?.kind).toBe("infrastructure");
    expect(farm.known).toEqual(["1 cancelled", "1 cancelled"]);
    expect(openJobs()).toBe(0);
  });

  test("is looked at at its limit, and what ended by then is taken", async () => {
    farm.lookAgainAt = () => new Date(Date.now() + 1e12).toISOString();
    const id = create();
    await pass();
    const { since = "", look_again_at: at = "" } = ticket(id).pending ?? {};
    expect(Date.parse(at)).toBeLessThanOrEqual(
      Date.parse(since) + 24 * 60 * minute,
    );
    age(100_000);
    await due(id);
    await pass();
    expect(ticket(id).status).toBe("done");
  });

  test.each([
    ["restored", () => resumeRestoredState(engine.db, "dev", "a backup", {})],
    [
      "mended",
      () => {
        engine.db.transaction(() =>
          startOver(engine.db, "dev", 1, "its PPA was gone"),
        )();
      },
    ],
  ])("that is %s starts over, and leaves no job behind", async (_, wake) => {
    farm.lookAgainAt = inAnHour;
    const id = create();
    await pass();
    wake();
    farm.looks = 0;
    for (let passes = 0; passes < 3; passes += 1) await pass();
    expect(ticket(id).status).toBe("done");
    expect(farm.known).toEqual(["1 cancelled", "1 ended"]);
    expect(openJobs()).toBe(0);
  });

  test("whose builder is another one now is built by that", async () => {
    farm.lookAgainAt = inAnHour;
    const id = create();
    await pass();
    const local = {
      ...engine,
      backends: {
        ...engine.backends,
        builder: () => Promise.resolve(createFakeBuilder("pass")),
      },
    };
    await due(id);
    await land(local, { signal });
    expect(ticket(id).status).toBe("done");
    expect(
      listEvents(engine.db, { ticket: id }).find(
        ({ what }) => what === "job cancelled",
      )?.why,
    ).toContain("is left alone");
    expect(openJobs()).toBe(0);
  });
});
