import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, test } from "vitest";

import { isAbandoned, makeOwnFolder } from "./own-folder.ts";

test("a folder's name says whether its process is gone", () => {
  const parent = mkdtempSync(join(tmpdir(), "own-"));
  const name = basename(makeOwnFolder(parent, "admission"));
  rmSync(parent, { recursive: true });
  expect(isAbandoned(name)).toBe(false);
  const { pid } = process;
  // A pid that has been reused by another process, and one from before the last boot.
  expect(isAbandoned(name.replace(/-[0-9]+-/, "-1-"))).toBe(true);
  expect(
    isAbandoned(name.replace(/-[0-9a-f]{8}-[0-9a-f]{4}-/, "-00000000-0000-")),
  ).toBe(true);
  expect(isAbandoned(name.replace(`.${pid}-`, ".4194303-"))).toBe(true);
  expect(isAbandoned("run.7")).toBeUndefined();
  expect(
    isAbandoned(name.replace(/[^-]+\.[A-Za-z0-9]{6}$/, "elsewhere.abcdef")),
  ).toBeUndefined();
});
