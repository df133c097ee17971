import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import type { Connection } from "./database.ts";
import { makeDatabase } from "./database.ts";
import { recordEvent } from "./events.ts";
import {
  failedByInfrastructure,
  lastBackup,
  oldestWaiting,
  unfinishedTickets,
} from "./health.ts";

let folder: string;
let db: Connection;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "uci-health-"));
  db = makeDatabase(join(folder, "state.sqlite"));
  db.prepare("INSERT INTO person (name, email) VALUES ('Dev', 'd@e.f')").run();
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

function ticket(step: number, status: string, at: string, blame?: string) {
  return Number(
    db
      .prepare(
        `INSERT INTO ticket (title, description, owner, series, step, status, failure_kind, created_at, updated_at)
         VALUES ('t', '', 1, 'bookworm', ?, ?, ?, ?, ?)`,
      )
      .run(step, status, blame ?? null, at, at).lastInsertRowid,
  );
}
function event(subject: number, what: string, at: string) {
  db.prepare(
    "INSERT INTO event (at, actor, subject, subject_id, what) VALUES (?, 'me', 'ticket', ?, ?)",
  ).run(at, String(subject), what);
}

test("a ticket waits since something moved it on, not since it was tried or edited", () => {
  expect(oldestWaiting(db)).toBeUndefined();
  const moved = ticket(200, "waiting", "2026-01-01T00:00:00.000Z");
  event(moved, "passed", "2026-01-05T00:00:00.000Z");
  event(moved, "tmpfail", "2026-01-09T00:00:00.000Z");
  event(moved, "updated", "2026-01-09T00:00:00.000Z");
  ticket(100, "held", "2025-01-01T00:00:00.000Z");
  ticket(1000, "done", "2025-01-01T00:00:00.000Z");
  expect(oldestWaiting(db)).toMatchObject({
    id: moved,
    step: 200,
    since: "2026-01-05T00:00:00.000Z",
  });
  const older = ticket(100, "waiting", "2026-01-04T00:00:00.000Z");
  expect(oldestWaiting(db)).toMatchObject({ id: older });
  expect(unfinishedTickets(db)).toEqual([
    { step: 100, status: "held", count: 1 },
    { step: 100, status: "waiting", count: 1 },
    { step: 200, status: "waiting", count: 1 },
  ]);
});

test("only what our infrastructure failed lately counts", () => {
  ticket(999, "failed", "2026-01-01T00:00:00.000Z", "infrastructure");
  ticket(999, "failed", "2026-01-03T00:00:00.000Z", "package");
  const ours = ticket(
    999,
    "failed",
    "2026-01-03T00:00:00.000Z",
    "infrastructure",
  );
  expect(failedByInfrastructure(db, "2026-01-02T00:00:00.000Z")).toEqual([
    ours,
  ]);
});

test("the newest backup counts, a restore is none", () => {
  expect(lastBackup(db)).toBeNull();
  const state = {
    actor: "me",
    subject: "state",
    subject_id: "backup",
  } as const;
  recordEvent(db, { ...state, what: "backed-up" });
  const made = lastBackup(db);
  recordEvent(db, { ...state, what: "restored" });
  expect(lastBackup(db)).toBe(made);
  expect(Date.parse(made ?? "")).not.toBeNaN();
});
