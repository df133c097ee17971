import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Connection } from "./database.ts";
import { makeDatabase } from "./database.ts";
import { recordedTickets } from "./recorded-tickets.ts";

let folder: string;
let db: Connection;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "recorded-tickets-"));
  db = makeDatabase(join(folder, "state.sqlite"));
  db.pragma("synchronous = OFF");
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

/** So many tickets, each with two runs of every step; those of tests end by the ticket's number. */
function fill(count: number): void {
  const tickets = `WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ${count})`;
  db.exec(`INSERT INTO person (id, name, email) VALUES (1, 'd', 'd@example.com');
    INSERT INTO source_package (id, name) VALUES (1, 'hello');
    ${tickets} INSERT INTO source_package_upload (id, source_package, version, changed_by, dsc) SELECT n, 1, n, 'd', 'd' FROM seq;
    ${tickets} INSERT INTO ticket (id, title, description, owner, series, step, status, created_at, updated_at)
      SELECT n, '', '', 1, 'bookworm', 999, 'failed', '', '' FROM seq;
    ${tickets} INSERT INTO subticket (ticket, upload, step, status) SELECT n, n, 999, 'failed' FROM seq;
    ${tickets}, step(code) AS (VALUES (100), (200), (300), (400)), try(attempt) AS (VALUES (1), (2))
      INSERT INTO run (ticket, step, attempt, host, pid, boot_id, process_start, started_at, heartbeat_at, finished_at, outcome, reason)
      SELECT n, code, attempt, '', 1, '', '', '', '', '', iif(attempt = 1, 'tmpfail', 'failed'), n || '.' || attempt FROM seq, step, try ORDER BY n, code, attempt;
    INSERT INTO test_result (ticket, run, package, name, result, seconds, detail)
      SELECT ticket, id, 'hello', 'smoke', 'fail', 1.0, reason FROM run WHERE step = 400 ORDER BY id;
    INSERT INTO finding (run, requirement, source, architecture, result, reason)
      SELECT id, 'built', 'hello', 'amd64', 'fail', reason FROM run WHERE step = 200;
    INSERT INTO override (ticket, kind, target, reason, actor, created_at) VALUES (${count}, 'step', 'run-tests', 'r', 'a', '')`);
}

test("tells of every ticket its own runs, the last of each step", () => {
  fill(1203);
  const found = [...recordedTickets(db)];
  expect(found.map(({ id }) => id)).toEqual(
    Array.from({ length: 1203 }, (_, index) => index + 1),
  );
  for (const { id, sources, overrides, runs } of found) {
    expect(sources).toEqual([{ source: "hello", version: String(id) }]);
    expect(overrides).toHaveLength(id === 1203 ? 1 : 0);
    const last = `${id}.2`;
    expect(runs.built?.findings.map(({ reason }) => reason)).toEqual([last]);
    expect(runs.image?.reason).toBe(last);
    expect(runs.tests?.tests.map(({ detail }) => detail)).toEqual([last]);
  }
});

test("tells of one ticket alone", () => {
  fill(3);
  expect([...recordedTickets(db, 2)].map(({ id }) => id)).toEqual([2]);
  expect([...recordedTickets(db, 4)]).toEqual([]);
});

test("asks the state no more often for hundreds of tickets than for one", () => {
  fill(400);
  const asked = vi.spyOn(db.prepare("SELECT 1").constructor.prototype, "all");
  const count = (only?: number) => {
    asked.mockClear();
    expect([...recordedTickets(db, only)].length).toBeGreaterThan(0);
    return asked.mock.calls.length;
  };
  // One more to see that there are no others.
  expect(count()).toBeLessThanOrEqual(count(1) + 1 + 1);
  asked.mockRestore();
});
