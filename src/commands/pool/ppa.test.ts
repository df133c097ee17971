import { afterEach, beforeEach, expect, test } from "vitest";

import { InProcess, saying } from "../../../test/support/in-process.ts";

let ci: InProcess;

beforeEach(async () => {
  ci = await InProcess.init({ ppa: { pool: 1 } });
});
afterEach(() => ci.remove());

const pool = async () =>
  (await ci.ok("ppa", "list"))
    .replaceAll(/ {2}since \S+ \S+Z/g, "")
    .split("\n");

test("the pool is listed, added to, and filled up", async () => {
  expect(await pool()).toEqual(["ci_pool-001  free"]);
  expect(await ci.ok("ppa", "add", "ci_extra-1", "--dry-run")).toBe(
    "add ci_extra-1",
  );
  expect(await ci.ok("ppa", "add", "ci_extra-1")).toBe("ci_extra-1");
  expect(await ci.ok("ppa", "add", "ci_extra-1")).toBe("");
  ci.configure({ ppa: { pool: 3 } });
  expect(await ci.ok("ppa", "populate")).toBe("ci_pool-002\nci_pool-003");
  expect(await pool()).toEqual([
    "ci_extra-1  free",
    "ci_pool-001  free",
    "ci_pool-002  free",
    "ci_pool-003  free",
  ]);
  expect(await ci.run("ppa", "add", "Not/a/PPA")).toMatchObject({
    code: 2,
    stderr: saying('"Not/a/PPA" is not the name of a PPA'),
  });
});

test("a pool whose names are wrong is a wrong configuration", async () => {
  ci.configure({ ppa: { prefix: "Ci Pool-" } });
  expect(await ci.run("ppa", "populate")).toMatchObject({
    code: 78,
    stderr: saying("ppa.prefix"),
  });
});

test("a ticket's PPA is reserved, given back by hand when it has ended, and emptied", async () => {
  await ci.create("hello");
  await ci.ok("assign-ppa");
  expect(await pool()).toEqual(["ci_pool-001  reserved  ticket 1"]);
  // Tickets at work keep theirs.
  expect(await ci.ok("release-ppa")).toBe("");
  await ci.ok("cancel", "1");
  expect(await pool()).toEqual(["ci_pool-001  dirty"]);
  // As an older version left it.
  ci.sql("UPDATE ppa SET state = 'reserved', ticket = 1");
  expect(await ci.ok("release-ppa", "--dry-run")).toBe("release ci_pool-001");
  expect(await ci.ok("release-ppa", "--ticket", "1")).toBe("ci_pool-001");
  expect(await ci.run("release-ppa", "--ticket", "9")).toMatchObject({
    code: 2,
    stderr: saying("there is no ticket 9"),
  });
  expect(await ci.ok("clean-ppas", "--dry-run")).toBe("empty ci_pool-001");
  expect((await ci.json("clean-ppas")).document).toMatchObject({
    cleaned: ["ci_pool-001"],
  });
  expect(await ci.ok("clean-ppas")).toBe("");
  expect(await pool()).toEqual(["ci_pool-001  free"]);
});

test("what a killed process was emptying is emptied by the next", async () => {
  ci.sql("UPDATE ppa SET state = 'cleaning'");
  expect(await ci.ok("clean-ppas")).toBe("ci_pool-001");
  expect(await pool()).toEqual(["ci_pool-001  free"]);
});

test("an empty pool is told", async () => {
  ci.sql("DELETE FROM ppa");
  expect(await ci.ok("ppa")).toBe("the pool is empty");
});
