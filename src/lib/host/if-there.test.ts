import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { ifThere, ifThereSync } from "./if-there.ts";

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "uci-there-"));
  file = join(folder, "file");
  writeFileSync(file, "text");
});
afterAll(() => rmSync(folder, { recursive: true }));

test("what is there comes as it is", async () => {
  expect(await ifThere(readFile(file, "utf8"))).toBe("text");
  expect(ifThereSync(() => readFileSync(file, "utf8"))).toBe("text");
});

test.each(["none", "file/below", "long".repeat(100)])(
  "nothing is at %s",
  async (name) => {
    const path = join(folder, name);
    expect(await ifThere(readFile(path))).toBeUndefined();
    expect(ifThereSync(() => readFileSync(path))).toBeUndefined();
  },
);

test("whatever else goes wrong is no absence", async () => {
  await expect(ifThere(readFile(folder))).rejects.toThrow("EISDIR");
  expect(() => ifThereSync(() => readFileSync(folder))).toThrow("EISDIR");
  await expect(ifThere(readdir(`${folder}\0`))).rejects.toThrow(/null bytes/);
});
