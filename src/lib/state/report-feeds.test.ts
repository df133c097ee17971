import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import type { Connection } from "./database.ts";
import { makeDatabase } from "./database.ts";
import { recordEvent } from "./events.ts";
import {
  feedEventsOf,
  feedNews,
  newestFeedEvents,
  originOf,
  regressions,
  ticketsOfOwners,
} from "./report-feeds.ts";

let folder: string;
let db: Connection;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "uci-feeds-"));
  db = makeDatabase(join(folder, "state.sqlite"));
  db.pragma("synchronous = OFF");
  db.exec(`INSERT INTO person (id, name, email) VALUES (1, 'a', 'a@example.com'), (2, 'b', 'b@example.com'), (3, 'c', 'c@example.com');
    INSERT INTO source_package (id, name) VALUES (1, 'hello')`);
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

function ticket(id: number, owner = 1, revision: number | null = null): void {
  db.exec(`INSERT INTO source_package_upload (id, source_package, version, changed_by, dsc) VALUES (${id}, 1, '1.${id}', 'd', 'd');
    INSERT INTO ticket (id, title, description, owner, series, step, status, created_at, updated_at, archive_revision)
      VALUES (${id}, 'ticket ${id}', '', ${owner}, 'bookworm', 100, 'waiting', '', '', ${revision ?? "NULL"});
    INSERT INTO subticket (ticket, upload, step, status) VALUES (${id}, ${id}, 100, 'waiting')`);
}

function run(
  of: number,
  step: number,
  outcome: string,
  reason = "why",
): number {
  return Number(
    db
      .prepare(
        `INSERT INTO run (ticket, step, attempt, host, pid, boot_id, process_start, started_at, heartbeat_at, finished_at, outcome, reason)
         VALUES (?, ?, 1, 'h', 1, 'b', '1', '', '', '', ?, ?)`,
      )
      .run(of, step, outcome, reason).lastInsertRowid,
  );
}

const tested = (of: number, at: number, results: Record<string, string>) => {
  for (const [name, result] of Object.entries(results))
    db.prepare(
      "INSERT INTO test_result (ticket, run, package, name, result, seconds, detail) VALUES (?, ?, 'hello', ?, ?, 1, '')",
    ).run(of, at, name, result);
};

const happens = (
  subject: "ticket" | "archive" | "landing",
  subject_id: number,
  what: string,
  more: object = {},
) => {
  recordEvent(db, { actor: "me", subject, subject_id, what, ...more });
};

test("landings, failures and what was set aside are told, newest first, with the reason of the run", () => {
  ticket(1, 1, 4);
  ticket(2);
  ticket(3);
  happens("ticket", 1, "created");
  happens("ticket", 1, "passed", { to_state: "200" });
  happens("ticket", 1, "passed", { to_state: "1000" });
  happens("ticket", 2, "failed", { run: run(2, 200, "failed", "no compiler") });
  happens("ticket", 3, "failed", { run: run(3, 200, "tmpfail", "no space") });
  happens("ticket", 3, "set aside", { why: "needs approval" });
  expect(
    newestFeedEvents(db).map(({ kind, ticket: of, blame, why, revision }) => ({
      ...{ kind, of, blame, why, revision },
    })),
  ).toEqual([
    {
      kind: "set-aside",
      of: 3,
      blame: null,
      why: "needs approval",
      revision: null,
    },
    {
      kind: "failed",
      of: 3,
      blame: "infrastructure",
      why: "no space",
      revision: null,
    },
    {
      kind: "failed",
      of: 2,
      blame: "package",
      why: "no compiler",
      revision: null,
    },
    { kind: "landed", of: 1, blame: null, why: null, revision: 4 },
  ]);
  expect(newestFeedEvents(db)[3]).toMatchObject({
    owner: "a@example.com",
    title: "ticket 1",
    sources: [{ source: "hello", version: "1.1" }],
  });
});

test("an undo is told once to all, and to its ticket's followers with its reason", () => {
  ticket(1, 1, 4);
  happens("ticket", 1, "taken out of the archive", {
    why: "by archive revision 5",
  });
  happens("archive", 5, "undone", { why: "without revision 4: it breaks" });
  expect(newestFeedEvents(db)).toMatchObject([
    { kind: "taken-out", ticket: null, revision: 5, sources: [] },
  ]);
  expect(feedEventsOf(db, [1])).toMatchObject([
    {
      kind: "taken-out",
      ticket: 1,
      revision: 4,
      why: "by archive revision 5, without revision 4: it breaks",
    },
  ]);
});

test("a feed has at most 50 entries, the newest", () => {
  ticket(1);
  for (let index = 0; index < 60; index += 1) happens("ticket", 1, "failed");
  for (const found of [newestFeedEvents(db), feedEventsOf(db, [1])]) {
    expect(found).toHaveLength(50);
    expect(found[0]?.id).toBe(60);
  }
});

test("only the owners of tickets that something happened to have news", () => {
  ticket(1, 1);
  ticket(2, 2);
  happens("ticket", 1, "created");
  happens("ticket", 2, "created");
  expect(feedNews(db, 2)).toEqual({ owners: [], any: false, worse: false });
  happens("ticket", 2, "started");
  expect(feedNews(db, 2).owners).toEqual([]);
  happens("ticket", 2, "failed");
  expect(feedNews(db, 2)).toEqual({
    owners: ["b@example.com"],
    any: true,
    worse: true,
  });
  expect(feedNews(db, 0).owners).toEqual(["a@example.com", "b@example.com"]);
  expect(ticketsOfOwners(db, ["b@example.com", "c@example.com"])).toEqual(
    new Map([["b@example.com", [2]]]),
  );
});

test("what got worse: tests that passed in the version before, and landings found to be bad", () => {
  ticket(1, 1, 1);
  tested(1, run(1, 400, "passed"), {
    old: "pass",
    broken: "fail",
    ignored: "pass",
  });
  ticket(2, 1);
  const failed = run(2, 400, "failed");
  tested(2, failed, {
    old: "fail",
    broken: "fail",
    fresh: "fail",
    ignored: "fail",
  });
  db.exec(
    "UPDATE test_result SET state = 'waived' WHERE ticket = 2 AND name = 'ignored'",
  );
  happens("ticket", 2, "failed", { run: failed });
  // A later attempt changes nothing about what happened.
  tested(2, run(2, 400, "passed"), { old: "pass" });
  happens("landing", 1, "qa", { to_state: "ok", ticket: 1 });
  happens("landing", 1, "qa", { to_state: "bad", ticket: 1, why: "bad" });
  expect(
    regressions(db).map(({ kind, tests, revision, ticket: of }) => ({
      ...{ kind, tests, revision, of },
    })),
  ).toEqual([
    { kind: "bad", tests: [], revision: 1, of: 1 },
    {
      kind: "regression",
      tests: [{ package: "hello", name: "old" }],
      revision: null,
      of: 2,
    },
  ]);
});

test("a state is told from others by how its history began", () => {
  expect(originOf(db)).toBeNull();
  ticket(1);
  happens("ticket", 1, "created");
  const origin = originOf(db);
  happens("ticket", 1, "failed");
  expect(originOf(db)).toBe(origin);
  expect(origin).toMatch(/^1 \S+ me$/);
});
