import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { Damage } from "../../domain/error.ts";
import type { PublishedPackage } from "./index-files.ts";
import {
  newRevision,
  readRecord,
  readRevision,
  removeUnneededLists,
  shareLists,
  writeRecord,
} from "./revision-record.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "revision-record-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const folderOf = (revision: number) =>
  join(root, ".revisions", String(revision));
const recordFile = (revision: number) =>
  join(folderOf(revision), "revision.json");
const lists = () => readdirSync(join(root, ".packages")).sort();

/** What an archive holds of so many sources, of which one has another version. */
function holding(count: number, raised = ""): PublishedPackage[] {
  return Array.from({ length: count }, (_, at) => `source-${at}`).flatMap(
    (source) =>
      (["source", "binary"] as const).map((kind) => ({
        ...{ kind, name: source, source },
        version: source === raised ? "2" : "1",
        architecture: kind === "source" ? "source" : "all",
        files: [
          { path: `pool/${source}.${kind}`, size: 1, sha256: "0".repeat(64) },
        ],
      })),
  );
}

async function write(
  number: number,
  packages: readonly PublishedPackage[],
  before: readonly PublishedPackage[] = [],
) {
  const revision = newRevision(
    number,
    { bookworm: packages },
    {},
    { bookworm: before },
  );
  await writeRecord(root, folderOf(number), revision);
  return revision;
}

/** Writes a revision as versions did that kept all in its record. */
function writeWhole(revision: number, packages: readonly PublishedPackage[]) {
  mkdirSync(folderOf(revision), { recursive: true });
  const record = {
    ...{ revision, created_at: "2026-01-01T00:00:00.000Z", ticket: revision },
    ...{ reverts_to: null, publications: { bookworm: packages } },
  };
  writeFileSync(recordFile(revision), JSON.stringify(record));
  utimesSync(recordFile(revision), 1000 + revision, 1000 + revision);
}

const inOrder = (packages: readonly PublishedPackage[] = []) =>
  packages
    .map(({ name, kind, version }) => `${name} ${kind} ${version}`)
    .sort();

test("a revision shares with the one before it what it did not change", async () => {
  const first = await write(1, holding(2000));
  const shared = lists().length;
  const second = await write(
    2,
    holding(2000, "source-7"),
    first.publications["bookworm"],
  );
  expect(lists()).toHaveLength(shared + 1);
  expect(statSync(recordFile(2)).size).toBeLessThan(10_000);
  expect((await readRecord(root, 2)).changes).toEqual([
    { series: "bookworm", source: "source-7", from: "1", to: "2" },
  ]);
  for (const { revision, publications } of [first, second]) {
    const read = await readRevision(root, revision);
    expect(inOrder(read.publications["bookworm"])).toEqual(
      inOrder(publications["bookworm"]),
    );
  }
});

test("reads lists once that revisions share, or those of a single source", async () => {
  await write(1, holding(2000));
  await write(2, holding(2000, "source-7"), holding(2000));
  const known = new Set<string>();
  await readRevision(root, 1, { known });
  const { publications } = await readRevision(root, 2, { known });
  expect(publications["bookworm"]?.length).toBeLessThan(200);
  const some = await readRevision(root, 2, { source: "source-7" });
  expect(inOrder(some.publications["bookworm"])).toContain("source-7 source 2");
  expect(some.publications["bookworm"]?.length).toBeLessThan(200);
});

test("has the revisions of earlier versions share their lists, and keeps their times", async () => {
  writeWhole(1, holding(100));
  writeWhole(2, holding(100, "source-7"));
  const before = await readRevision(root, 2);
  expect(before.changes).toHaveLength(1);
  expect(await readRecord(root, 1)).toMatchObject({ ticket: 1 });

  await shareLists(root, 2);

  expect(readFileSync(recordFile(2), "utf8")).not.toContain("publications");
  expect(statSync(recordFile(1)).mtimeMs).toBe(1_001_000);
  const after = await readRevision(root, 2);
  expect(inOrder(after.publications["bookworm"])).toEqual(
    inOrder(before.publications["bookworm"]),
  );
  expect({ ...after, publications: null }).toEqual({
    ...before,
    publications: null,
  });
});

test("a list that is missing or has other contents is damage", async () => {
  await write(1, holding(1));
  const [list = ""] = lists();
  const file = join(root, ".packages", list);
  writeFileSync(file, "[]\n");
  await expect(readRevision(root, 1)).rejects.toThrow(Damage);
  rmSync(file);
  await expect(readRevision(root, 1)).rejects.toThrow(`${file} is missing`);
  expect((await readRecord(root, 1)).revision).toBe(1);
});

test("removes the lists that no revision names, and none while a record is damaged", async () => {
  await write(1, holding(10));
  await write(2, holding(10, "source-7"), holding(10));
  const all = lists();
  writeFileSync(recordFile(2), "{}");
  rmSync(folderOf(1), { recursive: true });
  await removeUnneededLists(root);
  expect(lists()).toEqual(all);
  await write(2, holding(10, "source-7"), holding(10));
  await removeUnneededLists(root);
  expect(lists()).toHaveLength(all.length - 1);
  await readRevision(root, 2);
});

test("reads a list again only when its file has changed", async () => {
  await write(1, holding(3));
  const read = async () => (await readRevision(root, 1)).publications;
  const [first, again] = [await read(), await read()];
  expect(again["bookworm"]?.[0]).toBe(first["bookworm"]?.[0]);
  const [name = ""] = lists();
  writeFileSync(join(root, ".packages", name), "[]\n");
  await expect(read()).rejects.toThrow(Damage);
});
