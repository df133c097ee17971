import { describe, expect, test } from "vitest";

import { stepOf } from "../domain/step.ts";
import type { Ticket } from "../domain/ticket.ts";
import {
  heldBackSince,
  bugLink,
  duration,
  expectations,
  linked,
  published,
  sizeInWords,
  overrideRows,
  testRows,
  timeline,
  whereabouts,
} from "./view-model.ts";

const ticket = (over: Partial<Ticket>): Ticket => ({
  id: 1,
  title: "hello",
  description: "",
  owner: "dev@example.com",
  bug: null,
  series: "bookworm",
  priority: 0,
  created_at: "2026-01-01T00:00:00.000Z",
  updated_at: "2026-01-01T00:00:00.000Z",
  step: stepOf(100),
  status: "waiting",
  ppa: null,
  queue_position: null,
  archive_revision: null,
  undone_by: null,
  eta: null,
  failure: null,
  cancelled: null,
  overrides: [],
  resume_step: null,
  add: [],
  remove: [],
  base_image: null,
  progress: null,
  waiting_for: null,
  set_aside: null,
  pending: null,
  retry_at: null,
  subtickets: [],
  runs: [],
  artifacts: [],
  tests: [],
  ...over,
});

const run = (code: 100 | 200, outcome: "passed" | "tmpfail" | null) => ({
  step: stepOf(code),
  attempt: 1,
  outcome,
  started_at: "2026-01-01T00:00:00.000Z",
  finished_at: outcome === null ? null : "2026-01-01T00:01:05.000Z",
  reason: null,
  evidence: null,
  stages: {},
});

describe("what the report shows", () => {
  test("a timeline has every step, the failed one marked", () => {
    const failed = ticket({
      step: stepOf(999),
      failure: {
        step: stepOf(200),
        kind: "package",
        reason: "it does not compile",
        artifact: null,
      },
      runs: [run(100, "passed"), run(200, "tmpfail")],
    });
    expect(timeline(failed).map(({ name, state }) => [name, state])).toEqual([
      ["assign-ppa", "passed"],
      ["build-source", "failed"],
      ["build-image", "not reached"],
      ["run-tests", "not reached"],
      ["publish", "not reached"],
    ]);
    expect(timeline(failed)[0]?.attempts[0]?.duration).toBe("1 min 5 s");
  });

  test("a cancelled ticket's timeline says where", () => {
    const cancelled = ticket({
      step: stepOf(999),
      status: "failed",
      resume_step: stepOf(200),
      cancelled: { at: "2026-01-01T00:02:00.000Z", by: "ops@ci", reason: "no" },
      runs: [run(100, "passed"), run(200, "tmpfail")],
    });
    expect(timeline(cancelled).map(({ state }) => state)).toEqual([
      "passed",
      "cancelled",
      "not reached",
      "not reached",
      "not reached",
    ]);
    expect(whereabouts(cancelled)).toBe("cancelled by ops@ci: no");
  });

  test("what a retry does again is not reached yet, what it keeps has passed", () => {
    const again = ticket({
      step: stepOf(100),
      resume_step: stepOf(300),
      runs: [run(100, "passed"), run(200, "passed")],
    });
    expect(timeline(again).map(({ state }) => state)).toEqual([
      "waiting",
      "passed",
      "not reached",
      "not reached",
      "not reached",
    ]);
  });

  test("overrides in force come before those undone", () => {
    const by = { by: "ops@ci", at: "2026-01-01T00:00:00.000Z" };
    const rows = overrideRows(
      ticket({
        overrides: [
          {
            id: 1,
            kind: "step",
            target: "run-tests",
            reason: "no",
            ...by,
            until: null,
            ended: false,
            undone: { ...by },
          },
          {
            id: 2,
            kind: "test",
            target: "hello/a",
            reason: "flaky",
            ...by,
            until: null,
            ended: false,
            undone: null,
          },
        ],
      }),
    );
    expect(rows.map(({ text, undone }) => [text, undone])).toEqual([
      ["ignore-test hello/a", ""],
      ["ignore-step run-tests", "undone by ops@ci, 2026-01-01 00:00 UTC"],
    ]);
  });

  test("only http and https bugs are linked", () => {
    expect(bugLink(ticket({ bug: "javascript:alert(1)" }))).toBeNull();
    expect(bugLink(ticket({ bug: "https://bugs.example.org/1" }))).toBe(
      "https://bugs.example.org/1",
    );
  });

  test("a waiting ticket says what it waits for before its position", () => {
    expect(
      whereabouts(ticket({ queue_position: 2, waiting_for: "no PPA is free" })),
    ).toBe("no PPA is free");
    expect(whereabouts(ticket({ queue_position: 2 }))).toBe(
      "position 2 in the queue",
    );
  });

  test("durations and sizes are for people", () => {
    expect(duration(1500)).toBe("1.5 s");
    expect(duration(59_940)).toBe("59.9 s");
    expect(duration(59_960)).toBe("1 min 0 s");
    expect(duration(119_700)).toBe("2 min 0 s");
    expect(duration(3_599_800)).toBe("1 h 0 min");
    expect(duration(3_720_000)).toBe("1 h 2 min");
    expect(sizeInWords(999)).toBe("999 B");
    expect(sizeInWords(50_200_000)).toBe("50.2 MB");
  });
});

test("updates were held back since the first of them was", () => {
  expect(heldBackSince([])).toBeNull();
  expect(
    heldBackSince([
      { first: "2026-05-01T10:07:00.000Z" },
      { first: "2026-05-01T10:05:00.000Z" },
    ]),
  ).toMatchObject({ text: "2026-05-01 10:05 UTC" });
});

describe("the time a ticket can expect", () => {
  const at = "2026-05-01T10:00:00.000Z";
  const span = (earliest: string, latest: string) => ({
    earliest: `2026-05-${earliest}:00.000Z`,
    latest: `2026-05-${latest}:00.000Z`,
  });
  const said = (
    start: ReturnType<typeof span> | null,
    end: ReturnType<typeof span> | null,
    unknown: string | null = null,
  ) =>
    expectations(ticket({ expected: { start, end, landings: 7, unknown } }), at)
      .map(({ text, moment }) => `${text}${moment?.text ?? ""}`)
      .join("");

  test("is said by the clock, with the moments behind it", () => {
    expect(
      said(span("01T10:02", "01T10:09"), span("01T10:20", "01T11:00")),
    ).toBe(
      "starts between 2026-05-01 10:02 UTC and 10:09 UTC, complete between 2026-05-01 10:20 UTC and 11:00 UTC",
    );
    expect(said(null, span("01T23:50", "02T00:10"))).toBe(
      "complete between 2026-05-01 23:50 UTC and 2026-05-02 00:10 UTC",
    );
    expect(said(null, span("01T10:20", "01T10:20"))).toBe(
      "complete at 2026-05-01 10:20 UTC",
    );
  });

  test("leaves out what has passed by now, which changes with every report", () => {
    expect(
      said(span("01T10:00", "01T10:00"), span("01T10:00", "01T10:20")),
    ).toBe("starts any moment, complete by 2026-05-01 10:20 UTC");
  });

  test("is not there where it cannot be told, and of tickets that have ended", () => {
    expect(said(null, null, "maintenance is on")).toBe("");
    expect(expectations(ticket({ expected: null }), at)).toEqual([]);
    expect(expectations(ticket({ step: stepOf(1000) }), at)).toEqual([]);
  });
});

test("tests that got worse come first, each with its result before", () => {
  const of = (name: string, result: "pass" | "fail", known = false) => ({
    package: "hello",
    name,
    result,
    seconds: 1,
    detail: "",
    verdict: known ? ("known" as const) : null,
  });
  const before = new Map([
    [
      "hello",
      {
        ticket: 1,
        version: "1",
        tests: [of("a", "fail"), of("b", "pass"), of("c", "pass")],
      },
    ],
  ]);
  const rows = testRows(
    {
      tests: [
        of("a", "fail"),
        of("b", "fail"),
        of("c", "fail", true),
        of("d", "fail"),
      ],
    },
    before,
  );
  expect(
    rows.map(({ test: { name }, before: then, isNew }) => [
      name,
      then?.result,
      isNew,
    ]),
  ).toEqual([
    ["b", "pass", true],
    ["a", "fail", false],
    ["c", "pass", false],
    ["d", undefined, false],
  ]);
});

test("what a series has is the newest that was not taken out, and stable the newest of what is deployed", () => {
  const row = (
    version: string,
    archive_revision: number | null,
    undone_by: number | null = null,
  ) => ({
    version,
    ticket: 1,
    title: "",
    series: "bookworm",
    status: "done" as const,
    updated_at: "",
    archive_revision,
    undone_by,
  });
  const history = [
    row("5", null),
    row("4", 9, 10),
    row("3", 7),
    row("2", 5),
    row("1", 2),
  ];
  const shown = (deployed: number | null) =>
    published({ history, deployed: new Map([["bookworm", deployed]]) }).map(
      ({ current, stable }) => [current?.version, stable?.version],
    );
  expect(shown(6)).toEqual([["3", "2"]]);
  expect(shown(null)).toEqual([["3", undefined]]);
});

test("addresses in a text are links, and what only looks like one is not", () => {
  expect(
    linked("see https://a.example/b?c=1&d=2, or javascript:alert(1)"),
  ).toEqual([
    { text: "see ", href: null },
    {
      text: "https://a.example/b?c=1&d=2",
      href: "https://a.example/b?c=1&d=2",
    },
    { text: ", or javascript:alert(1)", href: null },
  ]);
});
