import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { localStore } from "./local-store.ts";
import type { Store } from "./store.ts";
import { containerName } from "./store.ts";

const sha256 =
  "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
let folder: string;
let store: Store;
let source: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "store-"));
  mkdirSync(join(folder, "store"));
  store = localStore(join(folder, "store"));
  source = join(folder, "source");
  writeFileSync(source, "hello");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("names containers after the component and the identifier", () => {
  expect(containerName("ticket", 1)).toBe("ticket.1");
  expect(containerName("ticket.1", "test-runner")).toBe("ticket.1.test-runner");
  expect(containerName("ticket")).toBe("ticket");
});

test("keeps a file under STORE/CONTAINER/FILE", async () => {
  const path = join(folder, "store/ticket.1/a.log");
  expect(await store.putFile("ticket.1", "a.log", source)).toEqual({
    path,
    size: 5,
    sha256,
  });
  expect(store.filePath("ticket.1", "a.log")).toBe(path);
  expect(readFileSync(path, "utf8")).toBe("hello");
  expect(existsSync(source)).toBe(true);
});

test("moves a file when told to", async () => {
  const stored = await store.putFile("ticket.1", "a", source, { move: true });
  expect(stored).toMatchObject({ size: 5, sha256 });
  expect(existsSync(source)).toBe(false);
});

test("lists files, but not those of a write that was killed", async () => {
  await store.putFile("t", "b", source);
  await store.putFile("t", "a", source);
  writeFileSync(join(folder, "store/t/.tmp-0011"), "half");
  expect(await store.listFiles("t")).toEqual(["a", "b"]);
  expect(await store.listFiles("none")).toEqual([]);
});

test("refuses names that leave their folder", async () => {
  for (const name of ["../x", "..", "", "a/b", "a\0b", ".tmp-1"]) {
    await expect(store.putFile("t", name, source)).rejects.toMatchObject({
      exitCode: 2,
    });
    await expect(store.putFile(name, "a", source)).rejects.toMatchObject({
      exitCode: 2,
    });
    await expect(store.deleteContainer(name)).rejects.toMatchObject({
      exitCode: 2,
    });
  }
  expect(readdirSync(folder).sort()).toEqual(["source", "store"]);
});

test("gets a file that is what was stored, and no other", async () => {
  const { path } = await store.putFile("t", "a", source);
  await store.getFile("t", "a", join(folder, "got"), sha256);
  expect(readFileSync(join(folder, "got"), "utf8")).toBe("hello");
  writeFileSync(path, "jello");
  await expect(
    store.getFile("t", "a", join(folder, "got2"), sha256),
  ).rejects.toMatchObject({ exitCode: 75 });
  await expect(
    store.getFile("t", "none", join(folder, "got3"), sha256),
  ).rejects.toMatchObject({ exitCode: 2 });
  expect(readdirSync(folder).sort()).toEqual(["got", "source", "store"]);
});

test("deletes a file, and a container with all that is in it", async () => {
  await store.putFile("t", "a", source);
  await store.putFile("t", "b", source);
  await store.deleteFile("t", "a");
  expect(await store.listFiles("t")).toEqual(["b"]);
  await store.deleteContainer("t");
  await store.deleteContainer("t");
  expect(readdirSync(join(folder, "store"))).toEqual([]);
});
