import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Connection } from "./database.ts";
import { makeDatabase } from "./database.ts";
import { recentlyFinished, ticketsOnTheirWay } from "./finished-tickets.ts";

let folder: string;
let db: Connection;

const at = (minutes: number) => new Date(minutes * 60_000).toISOString();

/** A ticket of one source package, with runs of a minute each: [step, outcome, minute it began]. */
function ticket(
  id: number,
  source: string,
  step: number,
  status: string,
  runs: readonly (readonly [number, string | null, number])[] = [],
): void {
  db.exec(`INSERT OR IGNORE INTO person (id, name, email) VALUES (1, 'd', 'd@example.com');
    INSERT OR IGNORE INTO source_package (name) VALUES ('${source}');
    INSERT INTO source_package_upload (id, source_package, version, changed_by, dsc)
      SELECT ${id}, id, '${id}', 'd', 'd' FROM source_package WHERE name = '${source}';
    INSERT INTO ticket (id, title, description, owner, series, step, status, created_at, updated_at)
      VALUES (${id}, '', '', 1, 'bookworm', ${step}, '${status}', '', '');
    INSERT INTO subticket (ticket, upload, step, status) VALUES (${id}, ${id}, ${step}, '${status}')`);
  for (const [code, outcome, minute] of runs)
    db.prepare(
      `INSERT INTO run (ticket, step, attempt, host, pid, boot_id, process_start, started_at, heartbeat_at, finished_at, outcome)
       VALUES (?, ?, 1, '', 1, '', '', ?, '', ?, ?)`,
    ).run(
      id,
      code,
      at(minute),
      outcome === null ? null : at(minute + 1),
      outcome,
    );
}

const passed = (from: number) =>
  [100, 200, 300, 400, 500].map(
    (step, index) => [step, "passed", from + index] as const,
  );

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "uci-landings-"));
  db = makeDatabase(join(folder, "state.sqlite"));
  db.pragma("synchronous = OFF");
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

describe("tickets that landed", () => {
  test("tell when they began each step and ended", () => {
    ticket(1, "a", 1000, "done", passed(10));
    const [landing] = recentlyFinished(db, []);
    expect(landing?.sources).toEqual(["a"]);
    expect(landing?.began.get(300)).toBe(12 * 60_000);
    expect(landing?.ended).toBe(15 * 60_000);
  });

  test("count from their last way on, when they were tried again", () => {
    ticket(1, "a", 1000, "done", [
      [100, "passed", 0],
      [200, "tmpfail", 1],
      ...passed(1000),
    ]);
    expect(recentlyFinished(db, [])[0]?.began.get(100)).toBe(1000 * 60_000);
    // A retry that resumed after the build: runs before it are no measure of duration.
    ticket(2, "a", 1000, "done", [
      ...passed(0).slice(0, 3),
      [100, "passed", 500],
      [400, "passed", 501],
      [500, "passed", 502],
    ]);
    expect(recentlyFinished(db, ["a"])).toHaveLength(1);
  });

  test("of the same source package are found behind many others", () => {
    ticket(1, "mine", 1000, "done", passed(0));
    for (let id = 2; id < 60; id += 1)
      ticket(id, "other", 1000, "done", passed(id));
    const mine = (sources: string[]) =>
      recentlyFinished(db, sources).filter(
        ({ sources: [name] }) => name === "mine",
      );
    expect(mine([])).toHaveLength(0);
    expect(mine(["mine"])).toHaveLength(1);
  });
});

test("open tickets are in flight or in the queue, in its order; held ones neither", () => {
  ticket(1, "a", 300, "running", [[300, null, 7]]);
  ticket(2, "b", 100, "waiting");
  ticket(3, "c", 100, "waiting");
  ticket(4, "d", 100, "held");
  ticket(5, "e", 999, "failed");
  db.exec("UPDATE ticket SET priority = 1 WHERE id = 3");
  const { inFlight, queue } = ticketsOnTheirWay(db);
  expect(inFlight).toMatchObject([
    { id: 1, step: 300, since: 7 * 60_000, sources: ["a"] },
  ]);
  expect(queue.map(({ id }) => id)).toEqual([3, 2]);
});
