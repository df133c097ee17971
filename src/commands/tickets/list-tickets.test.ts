import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";

import { InProcess } from "../../../test/support/in-process.ts";

let ci: InProcess;
beforeEach(async () => {
  ci = await InProcess.init();
});
afterEach(() => ci.remove());

/** Adds so many finished tickets. */
function addTickets(count: number) {
  const db = new Database(`${ci.state}/state.sqlite`);
  db.exec(`
    INSERT OR IGNORE INTO person (id, name, email) VALUES (1, 'Dev', 'dev@example.com');
    WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ${count})
      INSERT INTO ticket (title, description, owner, series, step, status, created_at, updated_at)
      SELECT 'ticket ' || n || char(8238), '', 1, 'bookworm', 1000, 'done', '2026-01-01', '2026-01-01' FROM seq;
  `);
  db.close();
}

test("many tickets are printed as few are: one table, one document", async () => {
  addTickets(1200);
  const rows = (await ci.ok("status")).split("\n");
  expect(rows).toHaveLength(1 + 1200);
  expect(rows.filter((row) => row.startsWith("#"))).toHaveLength(1);
  expect(rows.at(-1)).toContain("ticket 1200\\u202e");
  const text = await ci.ok("status", "--json");
  const document = JSON.parse(text) as { tickets: { title: string }[] };
  expect(document.tickets.map(({ title }) => title)).toEqual(
    Array.from({ length: 1200 }, (_, at) => `ticket ${at + 1}\u202e`),
  );
  expect(text).toContain("\\u202e");
  expect(text.replaceAll("\\u202e", "\u202e").trim()).toBe(
    JSON.stringify(document, null, 2),
  );
});

test("--limit shows the newest", async () => {
  addTickets(30);
  const rows = (await ci.ok("status", "--limit", "2")).split("\n");
  expect(rows.slice(1).map((row) => row.split(" ")[0])).toEqual(["29", "30"]);
  expect((await ci.run("status", "--limit", "0")).code).toBe(2);
});
