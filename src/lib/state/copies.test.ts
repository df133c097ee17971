import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import {
  copyState,
  eventsSince,
  restoreStateFile,
  recordOnce,
  readStateVersion,
} from "./copies.ts";
import { makeDatabase } from "./database.ts";
import { recordEvent } from "./events.ts";
import { migrations } from "./migrations.ts";

let folder: string;
let file: string;

/** Records events. */
function happens(...whats: string[]): void {
  const db = makeDatabase(file);
  for (const what of whats)
    recordEvent(db, { actor: "me", subject: "ppa", subject_id: "p", what });
  db.close();
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "uci-copies-"));
  file = join(folder, "state.sqlite");
  happens("added", "reserved");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a copy is whole, tells its version, and comes back without numbers used twice", async () => {
  const copy = join(folder, "copies/before-1.sqlite");
  const version = { schema: migrations.length, lastEvent: 2 };
  expect(await copyState(file, copy)).toEqual(version);
  expect(readStateVersion(copy)).toEqual(version);
  expect(readdirSync(join(folder, "copies"))).toEqual(["before-1.sqlite"]);
  happens("released", "emptied");
  expect(eventsSince(file, 2)).toBe(2);
  await restoreStateFile(copy, file);
  expect(readStateVersion(file)).toEqual(version);
  happens("reserved");
  expect(readStateVersion(file).lastEvent).toBe(5);
});

test("comes back where there is no state file any more", async () => {
  const copy = join(folder, "copies/before-1.sqlite");
  await copyState(file, copy);
  for (const name of readdirSync(folder).filter((one) => one !== "copies"))
    rmSync(join(folder, name), { recursive: true });
  await restoreStateFile(copy, file);
  expect(readStateVersion(file).lastEvent).toBe(2);
});

test("of copies the newest five are kept, and nothing else is removed", async () => {
  const copies = join(folder, "copies");
  for (let number = 1; number <= 6; number += 1)
    await copyState(file, join(copies, `before-${number}.sqlite`));
  writeFileSync(join(copies, "before-0.txt"), "mine");
  await copyState(file, join(copies, "before-7.sqlite"));
  expect(readdirSync(copies).sort()).toEqual([
    "before-0.txt",
    ...[3, 4, 5, 6, 7].map((number) => `before-${number}.sqlite`),
  ]);
});

test("a state file that is damaged is not copied", async () => {
  const bytes = readFileSync(file);
  bytes.fill(0x55, 4096);
  writeFileSync(file, bytes);
  const copy = join(folder, "copies/before-1.sqlite");
  await expect(copyState(file, copy)).rejects.toThrow();
  expect(readdirSync(join(folder, "copies"))).not.toContain("before-1.sqlite");
});

test("what an upgrade did is recorded once; that is nothing of the state's own", () => {
  const event = {
    actor: "me",
    subject: "program",
    subject_id: "ubuntu-ci",
    what: "upgraded",
    to_state: "2.0",
  } as const;
  recordOnce(file, 2, event);
  recordOnce(file, 2, event);
  expect(readStateVersion(file).lastEvent).toBe(3);
  recordOnce(file, 3, event);
  expect(readStateVersion(file).lastEvent).toBe(4);
  expect(eventsSince(file, 2)).toBe(0);
});
