import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { localStore } from "./local-store.ts";
import type { LocalStore } from "./store.ts";
import { ticketContainer } from "./store.ts";

const sha256 =
  "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const t = (name: string) => ({ container: "t", name });
let folder: string;
let store: LocalStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "store-"));
  mkdirSync(join(folder, "store"));
  store = localStore(join(folder, "store"), null);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A new file to put, which says hello. */
function source(): string {
  const path = join(folder, "source");
  writeFileSync(path, "hello");
  return path;
}

async function namesIn(container: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list(container)) names.push(name);
  return names;
}

const modeOf = (...path: string[]) =>
  (statSync(join(folder, "store", ...path)).mode & 0o777).toString(8);

test("names containers after the component and the identifier", () => {
  expect(ticketContainer(1)).toBe("ticket.1");
  expect(ticketContainer(1, "test-runner")).toBe("ticket.1.test-runner");
});

test("keeps a file under STORE/CONTAINER/FILE, and takes its source for it", async () => {
  const at = { container: "ticket.1", name: "a.log" };
  const path = join(folder, "store/ticket.1/a.log");
  expect(await store.put(at, source())).toEqual({ ...at, size: 5, sha256 });
  expect(store.pathOf(at)).toBe(path);
  expect(readFileSync(path, "utf8")).toBe("hello");
  expect(existsSync(join(folder, "source"))).toBe(false);
});

test("lists files, but not those of a write that was killed", async () => {
  await store.put(t("b"), source());
  await store.put(t("a"), source());
  writeFileSync(join(folder, "store/t/.tmp-0011"), "half");
  expect(await namesIn("t")).toEqual(["a", "b"]);
  expect(await namesIn("none")).toEqual([]);
});

test("refuses names that leave their folder", async () => {
  const from = source();
  for (const name of ["../x", "..", "", "a/b", "a\0b", ".tmp-1"]) {
    const refusal = { exitCode: 2 };
    await expect(store.put(t(name), from)).rejects.toMatchObject(refusal);
    await expect(
      store.put({ container: name, name: "a" }, from),
    ).rejects.toMatchObject(refusal);
    await expect(store.remove(t(name))).rejects.toMatchObject(refusal);
    await expect(namesIn(name)).rejects.toMatchObject(refusal);
    await expect(store.setVisibility(name, "public")).rejects.toMatchObject(
      refusal,
    );
  }
  expect(readdirSync(folder).sort()).toEqual(["source", "store"]);
});

test("fetches a file that is what was stored, and no other", async () => {
  await store.put(t("a"), source());
  await store.fetch(t("a"), join(folder, "got"), sha256);
  expect(readFileSync(join(folder, "got"), "utf8")).toBe("hello");
  writeFileSync(store.pathOf(t("a")), "jello");
  await expect(
    store.fetch(t("a"), join(folder, "got2"), sha256),
  ).rejects.toMatchObject({ exitCode: 78 });
  await expect(
    store.fetch(t("none"), join(folder, "got3"), sha256),
  ).rejects.toMatchObject({ exitCode: 78 });
  expect(readdirSync(folder).sort()).toEqual(["got", "store"]);
});

test("removes a file, and its container with the last one", async () => {
  await store.put(t("a"), source());
  await store.put(t("b"), source());
  await store.remove(t("a"));
  expect(await namesIn("t")).toEqual(["b"]);
  await store.remove(t("b"));
  await store.remove(t("b"));
  expect(readdirSync(join(folder, "store"))).toEqual([]);
});

test("has a container private, until it is said to be public", async () => {
  await store.put(t("a"), source());
  expect([modeOf("t"), modeOf("t/a")]).toEqual(["700", "600"]);
  await store.setVisibility("t", "public");
  await store.put(t("b"), source());
  expect([modeOf("t"), modeOf("t/a"), modeOf("t/b")]).toEqual([
    "755",
    "644",
    "644",
  ]);
  await store.setVisibility("t", "private");
  await store.put(t("c"), source());
  expect(modeOf("t")).toBe("700");
  expect(["a", "b", "c"].map((name) => modeOf("t", name))).toEqual([
    "600",
    "600",
    "600",
  ]);
});

test("a container made private leaves a file readable under its published name", async () => {
  await store.put(t("a"), source());
  await store.setVisibility("t", "public");
  linkSync(store.pathOf(t("a")), join(folder, "published"));
  await store.setVisibility("t", "private");
  expect(modeOf("t")).toBe("700");
  expect(modeOf("../published")).toBe("644");
});

test("changes the mode of nothing that a link in a container leads to", async () => {
  await store.put(t("a"), source());
  writeFileSync(join(folder, "secret"), "", { mode: 0o600 });
  symlinkSync(join(folder, "secret"), join(folder, "store/t/link"));
  await store.setVisibility("t", "public");
  expect(modeOf("../secret")).toBe("600");
});

test("has an address for a file where it is shown at one", () => {
  const at = { container: "ticket.1", name: "a b#1.log" };
  expect(store.urlOf(at)).toBeNull();
  for (const url of [
    "https://files.example.org/ci",
    "https://files.example.org/ci/",
  ])
    expect(localStore(join(folder, "store"), url).urlOf(at)).toBe(
      "https://files.example.org/ci/ticket.1/a%20b%231.log",
    );
});
