import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { followPath } from "./trusted-file.ts";

const me = process.geteuid?.() ?? 0;
let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "trusted-")));
  mkdirSync(join(folder, "a/b"), { recursive: true, mode: 0o755 });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("what is not there yet has a place all the same", () => {
  const path = join(folder, "a/new/state");
  expect(followPath(path, new Set([0, me]))).toEqual({ end: path });
});

test("links are followed as the kernel does, also out of a linked folder", () => {
  symlinkSync("a/b", join(folder, "link"));
  symlinkSync("link/../c", join(folder, "second"));
  mkdirSync(join(folder, "a/c"));
  expect(followPath(join(folder, "second"), new Set([0, me]))).toEqual({
    end: join(folder, "a/c"),
  });
});

test("links that lead round in a circle end", () => {
  symlinkSync("two", join(folder, "one"));
  symlinkSync("one", join(folder, "two"));
  expect(
    followPath(join(folder, "one"), new Set([0, me])).weakness?.why,
  ).toContain("is a link too many");
});

test("root makes nothing in another user's folder, where a link could take its place", () => {
  const path = join(folder, "a/new");
  expect(followPath(path, new Set([0])).weakness?.why).toMatch(
    /^\/.* belongs to /,
  );
});

test("each folder on the way counts, not the last alone", () => {
  chmodSync(join(folder, "a"), 0o775);
  expect(
    followPath(join(folder, "a/b/file"), new Set([0, me])).weakness,
  ).toEqual({
    why: `its group may write ${join(folder, "a")} (mode 775)`,
    remedy: `chmod go-w ${join(folder, "a")}`,
  });
});
