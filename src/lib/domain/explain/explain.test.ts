import { describe, expect, test } from "vitest";

import { sampleTicket } from "../../../../test/support/ticket.ts";
import type { Situation } from "./situation.ts";
import type { OpenTicket, QueuedTicket } from "../queue.ts";
import { adviceText } from "../../host/command-line.ts";
import { remedy } from "../remedy.ts";
import { explain } from "./explain.ts";
import { stepOf } from "../step.ts";
import type { Run, Ticket } from "../ticket.ts";

const nowMs = Date.parse("2026-01-01T12:00:00.000Z");
const now = new Date(nowMs).toISOString();

const explained = (
  over: Partial<Ticket> = {},
  around: Partial<Situation> = {},
) =>
  written({
    nowMs,
    ticket: sampleTicket({ id: 2, ...over }),
    maintenance: null,
    missingRoom: null,
    concurrency: 1,
    inFlight: [],
    ahead: [],
    pool: [{ name: "ci_pool-001", state: "free", ticket: null }],
    poolPrefix: "ci_pool",
    worker: null,
    held: null,
    ownerIsUnmailable: false,
    hasImage: false,
    architecture: "amd64",
    missing: null,
    ...around,
  });

/** An explanation with its suggested commands as text. */
function written(situation: Situation) {
  const { unblock, commands, ...explanation } = explain(situation);
  return {
    ...explanation,
    unblock: unblock === null ? null : adviceText(unblock),
    commands: commands.map(({ command, effect }) => ({
      command: adviceText(command),
      effect: adviceText(effect),
    })),
  };
}

const other = (over: Partial<OpenTicket> = {}): OpenTicket => ({
  id: 1,
  step: 200,
  status: "waiting",
  sources: ["other"],
  ...over,
});

const queued = (over: Partial<QueuedTicket> = {}): QueuedTicket => ({
  ...other({ step: 100 }),
  priority: 0,
  ready: true,
  ...over,
});

const run = (over: Partial<Run> = {}): Run => ({
  step: stepOf(200),
  attempt: 1,
  outcome: null,
  started_at: "2026-01-01T11:59:00.000Z",
  finished_at: "2026-01-01T12:00:00.000Z",
  reason: null,
  evidence: null,
  stages: {},
  ...over,
});

const building = {
  status: "running",
  step: stepOf(200),
  ppa: "ci_pool-001",
  runs: [run()],
} as const;

const failed = (
  code: 200 | 300 | 400,
  kind: "package" | "infrastructure",
): Partial<Ticket> => ({
  status: "failed",
  step: stepOf(999),
  failure: {
    step: stepOf(code),
    kind,
    reason: "it broke",
    artifact: "hello.log",
  },
});

const ignoringTests = {
  id: 3,
  kind: "step",
  target: "run-tests",
  reason: "no testbed",
  by: "op@ci",
  at: now,
  until: null,
  ended: false,
  undone: null,
} as const;

describe("in the queue", () => {
  test("a ticket whose turn it is waits for the next pass alone", () => {
    expect(explained()).toEqual({
      ticket: 2,
      blocked: false,
      step: stepOf(100),
      status: "waiting",
      because: ["it is its turn, at Queued"],
      next: {
        action: "the next pass of assign-ppa or land works on it",
        at: now,
      },
      unblock: "ubuntu-ci land --ticket 2",
      expected: null,
      eta: null,
      commands: [
        { command: "ubuntu-ci land --ticket 2", effect: "does that now" },
      ],
    });
  });

  test("behind the one in flight", () => {
    expect(explained({}, { inFlight: [other()] })).toMatchObject({
      blocked: true,
      because: [
        "it waits behind ticket 1, which is at Package Building (waiting)",
        "one ticket is in flight at a time (`concurrency`)",
      ],
      next: {
        action:
          "when ticket 1 has ended, the next pass of assign-ppa or land starts it",
        at: "2026-01-01T12:00:00.000Z",
      },
      unblock: "ubuntu-ci land --ticket 1",
    });
  });

  test("behind one that is worked on: only its end helps", () => {
    expect(
      explained({}, { inFlight: [other({ status: "running" })] }).commands,
    ).toEqual([
      {
        command: "ubuntu-ci cancel 1",
        effect:
          "ends ticket 1, which is being worked on: only if it is not wanted any more",
      },
    ]);
  });

  test("behind one with a source package in common, though there is room", () => {
    expect(
      explained(
        {},
        {
          concurrency: 3,
          inFlight: [other({ sources: ["hello", "b"] }), other({ id: 5 })],
        },
      ).because,
    ).toEqual([
      "it waits behind ticket 1, which is at Package Building (waiting): both have hello",
    ]);
  });

  test("behind one of the queue with a source package in common", () => {
    expect(
      explained(
        {},
        { concurrency: 3, ahead: [queued({ id: 4, sources: ["hello"] })] },
      ),
    ).toMatchObject({
      because: [
        "it waits behind ticket 4, which comes before it in the queue: both have hello",
      ],
      next: {
        action: expect.stringContaining("ticket 4 has landed") as string,
      },
      unblock: "ubuntu-ci land --ticket 4",
    });
  });

  test("behind others of the queue: a higher priority makes it the first", () => {
    expect(
      explained(
        {},
        { ahead: [queued({ id: 4, priority: 7 }), queued({ id: 1 })] },
      ),
    ).toMatchObject({
      blocked: true,
      because: [
        "2 tickets are before it in the queue: 4, 1",
        "one ticket is in flight at a time (`concurrency`)",
      ],
      next: { action: expect.stringContaining("starts ticket 4") as string },
      unblock: "ubuntu-ci update_ticket 2 --priority 8",
    });
  });

  test("one that waits for its next attempt takes no place of the others", () => {
    expect(explained({}, { ahead: [queued({ ready: false })] }).blocked).toBe(
      false,
    );
  });

  test.each([
    [[], "the pool is empty", "ubuntu-ci ppa populate", null],
    [
      [{ name: "ci_pool-001", state: "reserved", ticket: 1 }],
      "ci_pool-001 is reserved by ticket 1",
      "ubuntu-ci ppa add ci_pool-002",
      "when one of those tickets has ended",
    ],
    [
      [{ name: "ci_pool-001", state: "dirty", ticket: null }],
      "ci_pool-001 is dirty",
      "ubuntu-ci clean-ppas",
      "the next pass of clean-ppas or land",
    ],
  ] as const)("no free PPA: %j", (pool, why, unblock, next) => {
    const found = explained(
      { waiting_for: "no PPA is free: 1 reserved" },
      { pool },
    );
    expect(found).toMatchObject({
      blocked: true,
      because: [`no PPA is free: ${why}`],
      unblock,
    });
    if (next === null) expect(found.next).toBeNull();
    else expect(found.next?.action).toContain(next);
  });

  test("a PPA that came free meanwhile is known better from the pool", () => {
    expect(
      explained({ waiting_for: "no PPA is free: 1 reserved" }).blocked,
    ).toBe(false);
  });

  test("held, by whom and since when", () => {
    expect(
      explained({ status: "held" }, { held: { by: "op@ci", at: now } }),
    ).toMatchObject({
      blocked: true,
      because: [`it is held by op@ci, since ${now}`],
      next: null,
      unblock: "ubuntu-ci update_ticket 2 --queue",
    });
  });
});

describe("maintenance", () => {
  const maintenance = { since: now, by: "op@ci", reason: "new disk" };

  test("comes before every other reason", () => {
    expect(explained({}, { maintenance })).toMatchObject({
      blocked: true,
      because: [
        `maintenance is on since ${now} by op@ci: new disk`,
        "it is its turn, at Queued",
      ],
      next: {
        action:
          "when maintenance has ended: the next pass of assign-ppa or land works on it",
        at: "2026-01-01T12:00:00.000Z",
      },
      unblock: "ubuntu-ci maintenance off",
      commands: [
        { command: "ubuntu-ci maintenance off" },
        { command: "ubuntu-ci land --ticket 2" },
      ],
    });
  });

  test("lets a run end", () => {
    expect(explained(building, { maintenance })).toMatchObject({
      blocked: false,
      next: {
        action: "when it passes, build-image follows, after maintenance",
      },
    });
  });

  test("is no news about a published ticket", () => {
    const done = { step: stepOf(1000), status: "done" } as const;
    expect(explained(done, { maintenance })).toEqual(explained(done));
  });
});

describe("at work", () => {
  test("building, with how far it is and who does it", () => {
    expect(
      explained(
        {
          ...building,
          progress: {
            state: "STATUS",
            message: "compile",
            current: 1,
            total: 2,
            at: now,
          },
        },
        { worker: { pid: 7, host: "ci", gone: false } },
      ),
    ).toMatchObject({
      blocked: false,
      because: [
        "build-source works on it since 2026-01-01T11:59:00.000Z, process 7 on ci: compile (1/2)",
      ],
      next: {
        action: "when it passes, build-image follows",
        at: "2026-01-01T12:00:00.000Z",
      },
      unblock: null,
      commands: [
        { command: "ubuntu-ci status 2" },
        { command: "ubuntu-ci cancel 2" },
      ],
    });
  });

  test("its process is gone", () => {
    expect(
      explained(building, { worker: { pid: 7, host: "ci", gone: true } }),
    ).toMatchObject({
      blocked: true,
      because: ["process 7 on ci, which worked on build-source, is gone"],
      next: {
        action:
          "the next pass of build-source or land gives its lease up and tries again",
        at: now,
      },
      unblock: "ubuntu-ci land --ticket 2",
    });
  });

  test("asked to end", () => {
    const cancelled = { at: now, by: "op@ci", reason: null };
    expect(explained({ ...building, cancelled })).toMatchObject({
      because: [expect.anything(), "it is to be cancelled by op@ci"],
      next: {
        action: "that process ends what it runs, and the ticket as cancelled",
      },
    });
    expect(
      explained({ cancelled, step: stepOf(500), ppa: "ci_pool-001" }).next
        ?.action,
    ).toBe("the next pass of publish or land checks, and ends the ticket");
  });

  test("retry due at a time", () => {
    const retry_at = "2026-01-01T12:04:00.000Z";
    expect(
      explained({
        step: stepOf(200),
        retry_at,
        waiting_for: "retry 2 of 3: no space is left",
        runs: [run({ outcome: "tmpfail", evidence: "hello.build" })],
      }),
    ).toMatchObject({
      blocked: true,
      because: [
        "build-source did not get through, for a reason of ours; retry 2 of 3: no space is left",
      ],
      next: {
        action: "build-source tries again at the first pass after that time",
        at: retry_at,
      },
      unblock: "ubuntu-ci retry 2",
      commands: [{}, { command: "ubuntu-ci get_artifact 2 hello.build -o -" }],
    });
  });

  test("a retry that is due waits for the next pass alone", () => {
    expect(
      explained({
        step: stepOf(200),
        retry_at: "2026-01-01T11:59:59.000Z",
        waiting_for: "retry 2 of 3: no space is left",
      }),
    ).toMatchObject({
      blocked: false,
      unblock: "ubuntu-ci land --ticket 2",
      next: { at: now },
    });
  });

  test("something is missing: the command that gets it", () => {
    const waiting = (missing: Situation["missing"]) =>
      explained({ step: stepOf(200), waiting_for: "trouble" }, { missing });
    expect(waiting(remedy("init"))).toMatchObject({
      blocked: true,
      unblock: "ubuntu-ci init",
    });
    expect(waiting("apt-get install sbuild").unblock).toBe(
      "apt-get install sbuild",
    );
    expect(waiting(null)).toMatchObject({
      blocked: false,
      unblock: "ubuntu-ci land --ticket 2",
    });
  });
});

describe("ended", () => {
  test("the package is at fault", () => {
    expect(explained(failed(200, "package"))).toEqual({
      ticket: 2,
      blocked: true,
      step: stepOf(999),
      status: "failed",
      because: [
        "it failed at Package Building, and the package is at fault: it broke",
      ],
      next: null,
      unblock: "ubuntu-ci create_ticket -t hello -s FILE_source.changes",
      expected: null,
      eta: null,
      commands: [
        {
          command: "ubuntu-ci create_ticket -t hello -s FILE_source.changes",
          effect: "lands a corrected version, which is a ticket of its own",
        },
        {
          command: "ubuntu-ci get_artifact 2 hello.log -o -",
          effect: "shows the evidence",
        },
        {
          command: "ubuntu-ci retry 2",
          effect:
            "queues it again as it is, to go on at Package Building; the same failure is likely",
        },
      ],
    });
  });

  test("a failed test can be ignored", () => {
    const tests = [
      {
        package: "hello",
        name: "smoke",
        result: "fail",
        seconds: 1,
        detail: "",
        verdict: null,
      },
    ] as const;
    expect(
      explained({ ...failed(400, "package"), tests }).commands.map(
        ({ command }) => command,
      ),
    ).toContain("ubuntu-ci override 2 --ignore-test hello/smoke --reason TEXT");
  });

  test("infrastructure is to blame", () => {
    expect(
      explained({
        ...failed(300, "infrastructure"),
        runs: [1, 2, 3, 4].map((attempt) =>
          run({ attempt, step: stepOf(300), outcome: "tmpfail" }),
        ),
      }),
    ).toMatchObject({
      blocked: true,
      because: [
        "it failed at Image Building, and infrastructure is to blame: it broke",
        "4 attempts were made; it is not tried again by itself",
      ],
      next: null,
      unblock: "ubuntu-ci retry 2",
    });
  });

  test("cancelled, by whom and why", () => {
    expect(
      explained({
        step: stepOf(999),
        status: "failed",
        cancelled: { at: now, by: "op@ci", reason: "a mistake" },
        resume_step: stepOf(300),
      }),
    ).toMatchObject({
      blocked: true,
      because: [`cancelled by op@ci: a mistake, at ${now}`],
      next: null,
      unblock: "ubuntu-ci retry 2",
      commands: [{ effect: "queues it again, to go on at Image Building" }],
    });
  });

  test("published", () => {
    expect(
      explained({
        step: stepOf(1000),
        status: "done",
        archive_revision: 7,
        runs: [run({ step: stepOf(500), outcome: "passed", finished_at: now })],
      }),
    ).toMatchObject({
      blocked: false,
      because: [`it is published as archive revision 7, since ${now}`],
      next: null,
      unblock: null,
      commands: [{ command: "ubuntu-ci archive show 7" }],
    });
  });
});

describe("overridden", () => {
  test("a step that is ignored is passed over", () => {
    expect(
      explained({
        step: stepOf(400),
        ppa: "ci_pool-001",
        overrides: [ignoringTests],
      }),
    ).toMatchObject({
      blocked: false,
      because: [
        "it is its turn, at Image Testing",
        "ignore-step run-tests: ignored: no testbed (by op@ci)",
      ],
      next: {
        action:
          "the next pass of run-tests or land passes over it, ignored: no testbed (by op@ci)",
      },
      commands: [
        { command: "ubuntu-ci land --ticket 2" },
        { command: "ubuntu-ci override 2 --undo 3" },
      ],
    });
  });

  test("what it failed at is ignored since: the retry goes on there", () => {
    expect(
      explained({ ...failed(400, "package"), overrides: [ignoringTests] })
        .unblock,
    ).toBe("ubuntu-ci retry 2 --from run-tests");
  });

  test("one that was undone is no reason", () => {
    expect(
      explained({
        step: stepOf(400),
        overrides: [{ ...ignoringTests, undone: { at: now, by: "op@ci" } }],
      }).because,
    ).toEqual(["it is its turn, at Image Testing"]);
  });
});
