import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Connection } from "./database.ts";
import { makeDatabase } from "./database.ts";
import { recordEvent } from "./events.ts";
import {
  changedTickets,
  endedRanges,
  endedTickets,
  packageHistory,
  packageRows,
  publishedBefore,
  recentFailures,
  sourcesOfTickets,
  whatHappened,
} from "./report-rows.ts";

let folder: string;
let db: Connection;

function ticket(id: number, source: string, step: 100 | 999 | 1000): void {
  const status = { 100: "waiting", 999: "failed", 1000: "done" }[step];
  db.exec(`INSERT OR IGNORE INTO person (id, name, email) VALUES (1, 'd', 'd@example.com');
    INSERT OR IGNORE INTO source_package (name) VALUES ('${source}');
    INSERT INTO source_package_upload (id, source_package, version, changed_by, dsc)
      SELECT ${id}, id, '1.${id}', 'd', 'd' FROM source_package WHERE name = '${source}';
    INSERT INTO ticket (id, title, description, owner, series, step, status, created_at, updated_at)
      VALUES (${id}, 'ticket ${id}', '', 1, 'bookworm', ${step}, '${status}', '', '');
    INSERT INTO subticket (ticket, upload, step, status) VALUES (${id}, ${id}, ${step}, '${status}')`);
}

const event = (
  subject: "ticket" | "ppa" | "state" | "program",
  subject_id: string | number,
  more: { what?: string; ticket?: number } = {},
) => {
  recordEvent(db, { actor: "me", subject, subject_id, what: "x", ...more });
  return whatHappened(db).event;
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "uci-rows-"));
  db = makeDatabase(join(folder, "state.sqlite"));
  db.pragma("synchronous = OFF");
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

describe("what changed since a report", () => {
  test("the tickets that something happened to, and the open ones", () => {
    ticket(1, "hello", 1000);
    ticket(2, "hello", 100);
    ticket(3, "figlet", 999);
    ticket(4, "figlet", 1000);
    const before = event("ticket", 1);
    expect(changedTickets(db, before)).toEqual([2]);
    event("ticket", 3);
    event("ppa", "ci_pool-001", { ticket: 4 });
    event("ppa", "ci_pool-001");
    event("state", "backup", { what: "backed-up" });
    expect(changedTickets(db, before)).toEqual([2, 3, 4]);
    expect(sourcesOfTickets(db, [2, 3, 4])).toEqual(["figlet", "hello"]);
  });

  test.each(["state", "program"] as const)(
    "everything, when something happened to the %s",
    (subject) => {
      const before = event("ticket", 1);
      event(subject, "all");
      expect(changedTickets(db, before)).toBeNull();
    },
  );

  test("everything, when the history does not reach back, or not so far on", () => {
    expect(changedTickets(db, 0)).toBeNull();
    const first = event("ticket", 1);
    event("ticket", 2);
    const last = event("ticket", 3);
    expect(changedTickets(db, first)).toEqual([2, 3]);
    expect(changedTickets(db, last + 1)).toBeNull();
    db.exec(`DELETE FROM event WHERE id <= ${first + 1}`);
    expect(changedTickets(db, first)).toBeNull();
    expect(changedTickets(db, first + 1)).toEqual([3]);
  });

  test("whether there is anything that changes on its own", () => {
    expect(whatHappened(db)).toEqual({
      event: 0,
      at: null,
      open: false,
    });
    ticket(1, "hello", 1000);
    expect(whatHappened(db).open).toBe(false);
    ticket(2, "hello", 100);
    expect(whatHappened(db).open).toBe(true);
  });
});

test("ended tickets by their numbers", () => {
  for (const id of [1, 2, 5, 7]) ticket(id, "hello", id === 2 ? 100 : 1000);
  expect(endedRanges(db, 3)).toEqual([
    { from: 1, to: 3, ended: 1 },
    { from: 4, to: 6, ended: 1 },
    { from: 7, to: 9, ended: 1 },
  ]);
  expect(endedTickets(db, { from: 1, to: 6 })).toEqual([5, 1]);
  expect(endedTickets(db, { limit: 2 })).toEqual([7, 5]);
});

test("a source package is told of by its newest ticket, and by all in its history", () => {
  ticket(1, "hello", 1000);
  ticket(2, "figlet", 1000);
  ticket(3, "hello", 999);
  expect(packageRows(db)).toEqual([
    { source: "figlet", version: "1.2", status: "done", tickets: 1 },
    { source: "hello", version: "1.3", status: "failed", tickets: 2 },
  ]);
  expect(
    packageHistory(db, "hello").map((row) => [row.ticket, row.version]),
  ).toEqual([
    [3, "1.3"],
    [1, "1.1"],
  ]);
});

test("recent failures, newest first, without what was cancelled or is not known", () => {
  for (const [id, at] of [
    [1, "2026-01-01"],
    [2, "2026-01-03"],
    [3, "2026-01-02"],
    [4, "2025-12-01"],
    [5, "2026-01-04"],
    [6, "2026-01-05"],
  ] as const) {
    ticket(id, "hello", 999);
    db.prepare(
      "UPDATE ticket SET updated_at = ?, failure_kind = 'package', failure_step = 200, failure_reason = 'why' WHERE id = ?",
    ).run(at, id);
  }
  db.exec("UPDATE ticket SET cancel_at = '2026' WHERE id = 5");
  db.exec("UPDATE ticket SET failure_kind = NULL WHERE id = 6");
  const found = recentFailures(db, "2026-01-01", 2);
  expect(found.map((one) => one.ticket)).toEqual([2, 3]);
  expect(found[0]).toEqual({
    ticket: 2,
    title: "ticket 2",
    owner: "d@example.com",
    series: "bookworm",
    kind: "package",
    step: "Package Building",
    reason: "why",
    at: "2026-01-03",
  });
});

test("what was published before a ticket", () => {
  ticket(1, "hello", 1000);
  ticket(2, "hello", 1000);
  ticket(3, "hello", 999);
  ticket(4, "hello", 1000);
  db.exec("UPDATE ticket SET archive_revision = id WHERE id IN (1, 2, 4)");
  expect(publishedBefore(db, "hello", 4)).toEqual({
    ticket: 2,
    version: "1.2",
  });
  expect(publishedBefore(db, "hello", 1)).toBeNull();
  expect(publishedBefore(db, "figlet", 9)).toBeNull();
});
