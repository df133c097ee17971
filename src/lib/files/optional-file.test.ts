import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { ifExists, ifExistsSync } from "./optional-file.ts";

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "uci-there-"));
  file = join(folder, "file");
  writeFileSync(file, "text");
});
afterAll(() => rmSync(folder, { recursive: true }));

test("what is there comes as it is", async () => {
  expect(await ifExists(readFile(file, "utf8"))).toBe("text");
  expect(ifExistsSync(() => readFileSync(file, "utf8"))).toBe("text");
});

test.each(["none", "file/below", "long".repeat(100)])(
  "nothing is at %s",
  async (name) => {
    const path = join(folder, name);
    expect(await ifExists(readFile(path))).toBeUndefined();
    expect(ifExistsSync(() => readFileSync(path))).toBeUndefined();
  },
);

test("whatever else goes wrong is no absence", async () => {
  await expect(ifExists(readFile(folder))).rejects.toThrow("EISDIR");
  expect(() => ifExistsSync(() => readFileSync(folder))).toThrow("EISDIR");
  await expect(ifExists(readdir(`${folder}\0`))).rejects.toThrow(/null bytes/);
});
