import { execFileSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import {
  copyDurably,
  digestFile,
  moveDurably,
  replaceSymlink,
  writeFileAtomic,
} from "./atomic-file.ts";

const hello = {
  size: 5,
  sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
};
let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "atomic-file-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test("replaces a file and leaves nothing beside it", async () => {
  const path = join(folder, "a");
  writeFileSync(path, "old");
  await writeFileAtomic(path, "new");
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(readdirSync(folder)).toEqual(["a"]);
});

test("a write that fails leaves the old contents and nothing beside it", async () => {
  const path = join(folder, "a");
  execFileSync("mkdir", ["-p", join(path, "inner")]);
  await expect(writeFileAtomic(path, "new")).rejects.toThrow();
  expect(readdirSync(folder)).toEqual(["a"]);
});

test("writes a file whose name is as long as a name may be", async () => {
  const path = join(folder, "n".repeat(255));
  await writeFileAtomic(path, "x");
  expect(readFileSync(path, "utf8")).toBe("x");
});

test("copies a file and tells size and digest", async () => {
  writeFileSync(join(folder, "a"), "hello");
  expect(await copyDurably(join(folder, "a"), join(folder, "b"))).toEqual(
    hello,
  );
  expect(readFileSync(join(folder, "b"), "utf8")).toBe("hello");
});

test("copies a file of several chunks", async () => {
  const contents = Buffer.alloc(1_000_003, "abcdefg");
  writeFileSync(join(folder, "a"), contents);
  const copied = await copyDurably(join(folder, "a"), join(folder, "b"));
  expect(readFileSync(join(folder, "b")).equals(contents)).toBe(true);
  expect(copied).toEqual(await digestFile(join(folder, "a")));
});

test("moves a file and tells size and digest", async () => {
  writeFileSync(join(folder, "a"), "hello");
  expect(await moveDurably(join(folder, "a"), join(folder, "b"))).toEqual(
    hello,
  );
  expect(readdirSync(folder)).toEqual(["b"]);
});

test("refuses a link, a folder and a pipe without waiting for it", async () => {
  symlinkSync("/etc/passwd", join(folder, "link"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
  for (const name of ["link", "pipe", "."]) {
    await expect(
      copyDurably(join(folder, name), join(folder, "copy")),
    ).rejects.toMatchObject({ exitCode: 2 });
  }
  expect(readdirSync(folder).sort()).toEqual(["link", "pipe"]);
});

test("makes and swings a link", async () => {
  const link = join(folder, "current");
  await replaceSymlink("1", link);
  await replaceSymlink("2", link);
  expect(readlinkSync(link)).toBe("2");
  expect(readdirSync(folder)).toEqual(["current"]);
});
