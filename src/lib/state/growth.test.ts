import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { StoredTicket } from "../../../test/support/stored-ticket.ts";
import { failedByInfrastructure, oldestWaiting } from "./health.ts";
import { failedTickets, heldTickets } from "./needs-somebody.ts";
import {
  oldestUnsent,
  ticketsEndedSince,
  unsentNotifications,
} from "./notifications.ts";
import { openRuns } from "./leases.ts";
import { nextToGoOn, nextToStart, ticketsInFlight } from "./queue.ts";
import { dueFiles, markExpired } from "./retention.ts";
import { ticketsSetAside } from "./set-aside.ts";
import { listTickets, ticketPages } from "./tickets.ts";

let state: StoredTicket;
beforeEach(() => {
  state = new StoredTicket();
});
afterEach(() => state.remove());

/** How SQLite goes about every query that `look` asks, of a state with and without finished tickets. */
function plansOf(look: () => unknown): string[] {
  const { db } = state;
  const asked: string[] = [];
  const prepare = db.prepare.bind(db);
  db.prepare = (sql: string) => {
    asked.push(sql);
    return prepare(sql);
  };
  try {
    look();
  } finally {
    db.prepare = prepare;
  }
  return asked.flatMap((sql) => {
    const given = sql.match(/\?/g) ?? [];
    return prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...given.map(() => null))
      .map(({ detail }) => detail);
  });
}

describe("what a pass asks does not go through the tickets that have ended", () => {
  test.each<[string, () => unknown]>([
    ["runs at work", () => openRuns(state.db)],
    ["tickets in flight", () => ticketsInFlight(state.db)],
    ["the next to start", () => nextToStart(state.db, 1)],
    ["the next to go on", () => nextToGoOn(state.db, new Set())],
    ["open tickets", () => listTickets(state.db, { open: true })],
    ["the one that waits longest", () => oldestWaiting(state.db)],
    ["those set aside", () => ticketsSetAside(state.db)],
    ["failures of late", () => failedTickets(state.db, "2026-01-01")],
    ["those held", () => heldTickets(state.db)],
    ["those that ended since", () => ticketsEndedSince(state.db, 1)],
    ["unsent mail", () => unsentNotifications(state.db)],
    ["the oldest of it", () => oldestUnsent(state.db)],
    ["failures of ours", () => failedByInfrastructure(state.db, "2026-01-01")],
  ])("%s", (_, look) => {
    const plans = plansOf(look);
    expect(plans.length).toBeGreaterThan(0);
    const partial = /INDEX (?:ticket_\w+|lease|notification_unsent)/;
    expect(
      plans.filter(
        (detail) =>
          /^SCAN (?:ticket|run|event|artifact|subticket|notification)\b/.test(
            detail,
          ) && !partial.test(detail),
      ),
    ).toEqual([]);
  });
});

test("what expires is the same whether all tickets are looked at or one", () => {
  const { db } = state;
  const count = 60;
  db.exec(`
    INSERT INTO person (id, name, email) VALUES (1, 'Dev', 'dev@example.com');
    INSERT INTO source_package (id, name) VALUES (1, 'one'), (2, 'two'), (3, 'three');
    WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ${count})
      INSERT INTO source_package_upload (id, source_package, version, changed_by, dsc)
      SELECT n, 1 + n * n % 3, '0.' || n, 'Dev', 'x.dsc' FROM seq;
    WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ${count})
      INSERT INTO ticket (id, title, description, owner, series, step, status, archive_revision, created_at, updated_at)
      SELECT n, '', '', 1, iif(n % 5 = 0, 'trixie', 'bookworm'), iif(n % 4 = 0, 999, 1000), iif(n % 4 = 0, 'failed', 'done'),
        iif(n % 4 = 0, NULL, 100 + n * 7 % ${count}), '2026-01-01', '2026-01-01' FROM seq;
    INSERT INTO subticket (ticket, upload, step, status, binaries) SELECT id, id, step, status, '[]' FROM ticket;
    INSERT INTO subticket (ticket, upload, step, status, binaries)
      SELECT id, 1 + id % ${count}, step, status, '[]' FROM ticket WHERE id % 3 = 0;
    INSERT INTO artifact (ticket, name, type, container, size, sha256, created_at)
      SELECT ticket.id, value, value, 'ticket.' || ticket.id, 1, '0', '2026-01-01' FROM ticket, json_each('["IMAGE", "LOGS", "RESULTS", "SPU"]');
  `);
  const before = "2026-02-01";
  for (const kind of ["images", "logs", "results", "files"] as const) {
    const due = dueFiles(db, kind, before).map(({ ticket }) => ticket);
    expect(due.length).toBeGreaterThan(0);
    const marked = Array.from({ length: count }, (_, at) => at + 1).filter(
      (ticket) => markExpired(db, "me", { ticket, kind }, before, "old") > 0,
    );
    expect(marked).toEqual(due);
    db.exec("UPDATE artifact SET expired_at = NULL");
  }
});

test("all tickets are read some at a time, and the newest without the others", () => {
  const { db } = state;
  db.exec(`
    INSERT INTO person (id, name, email) VALUES (1, 'Dev', 'dev@example.com'), (2, 'Eve', 'eve@example.com');
    WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < 1200)
      INSERT INTO ticket (id, title, description, owner, series, step, status, created_at, updated_at)
      SELECT n * 2, '', '', 1 + n % 2, 'bookworm', 1000, 'done', '2026-01-01', '2026-01-01' FROM seq;
  `);
  const idsOf = (filter: Parameters<typeof ticketPages>[1]) =>
    [...ticketPages(db, filter)].map((page) => page.map(({ id }) => id));
  const all = Array.from({ length: 1200 }, (_, at) => (at + 1) * 2);
  expect(idsOf({})).toEqual([
    all.slice(0, 500),
    all.slice(500, 1000),
    all.slice(1000),
  ]);
  expect(idsOf({ newest: 3 })).toEqual([[2396, 2398, 2400]]);
  expect(idsOf({ newest: 2, owner: "eve@example.com" })).toEqual([
    [2394, 2398],
  ]);
  expect(idsOf({ newest: 9999 }).flat()).toEqual(all);
  expect(idsOf({ step: 500 })).toEqual([]);
});
