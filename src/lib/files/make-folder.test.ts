import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { makeFolder, makeNamedFolder, requireFolder } from "./make-folder.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "make-folder-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("makes a folder and those above it, and again", () => {
  const deep = join(folder, "a/b/c");
  makeFolder(deep);
  makeFolder(deep);
  expect(statSync(deep).isDirectory()).toBe(true);
  symlinkSync("a/b", join(folder, "link"));
  makeFolder(join(folder, "link"));
  makeFolder(join(folder, "link/d"));
  expect(existsSync(join(folder, "a/b/d"))).toBe(true);
});

test("says which folder cannot be made instead of trying for ever", () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  symlinkSync("nowhere", join(folder, "dangling"));
  for (const [path, message] of [
    ["/proc/nothing", "the folder /proc/nothing cannot be made, there no"],
    ["/proc/a/b/c", "the folder /proc/a/b/c cannot be made, there no"],
    [file, `${file} is not a folder`],
    [join(file, "state"), "something above it is not a folder: ENOTDIR"],
    [join(folder, "dangling"), "dangling is not a folder"],
  ] as const)
    expect(() => makeNamedFolder(path)).toThrow(
      expect.objectContaining({
        exitCode: 78,
        message: expect.stringContaining(message) as string,
      }),
    );
});

test("a state folder may be missing, but nothing else may be in its way", () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  mkdirSync(join(folder, "state"));
  symlinkSync("round", join(folder, "round"));
  requireFolder(join(folder, "state"));
  requireFolder(join(folder, "missing/state"));
  for (const [path, message] of [
    [file, "it is not a folder"],
    [join(file, "a/state"), `${file} is not a folder`],
    ["/dev/null/x", "/dev/null is not a folder"],
    [join(folder, "round"), "its links lead round in a circle"],
  ] as const)
    expect(() => requireFolder(path)).toThrow(
      expect.objectContaining({
        exitCode: 78,
        message: `${path} cannot be a state folder: ${message}`,
      }),
    );
});
