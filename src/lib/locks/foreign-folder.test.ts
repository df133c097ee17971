import {
  chmodSync,
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

import { statePaths } from "../host/paths.ts";
import { requireNothingElse } from "./state-folder.ts";
import { putModesRight } from "../host/state-modes.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "foreign-"));
  chmodSync(folder, 0o700);
  mkdirSync(join(folder, "archive/private"), { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, "archive/private/letter"), "", { mode: 0o600 });
  writeFileSync(join(folder, "tool"), "", { mode: 0o755 });
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const modes = () =>
  [".", "archive", "archive/private", "archive/private/letter", "tool"].map(
    (name) => (statSync(join(folder, name)).mode & 0o7777).toString(8),
  );

test("the modes of a folder that holds no state are nobody's to change", () => {
  const before = modes();
  putModesRight(folder);
  expect(modes()).toEqual(before);
  // Nor when state.sqlite is a link, or when the folder is sticky and thus shared.
  symlinkSync("tool", join(folder, "state.sqlite"));
  putModesRight(folder);
  expect(modes()).toEqual(before);
  rmSync(join(folder, "state.sqlite"));
  writeFileSync(join(folder, "state.sqlite"), "");
  chmodSync(folder, 0o1777);
  putModesRight(folder);
  expect(modes().slice(1)).toEqual(before.slice(1));
  chmodSync(folder, 0o755);
  putModesRight(folder);
  expect(modes()).toEqual(["711", "755", "755", "644", "600"]);
});

test("a state does not begin where something else is", () => {
  expect(() => requireNothingElse(statePaths(folder))).toThrow(
    "holds something else than a state: tool",
  );
  rmSync(join(folder, "tool"));
  writeFileSync(join(folder, "config.json"), "{}");
  expect(() => requireNothingElse(statePaths(folder))).not.toThrow();
});

test("a state whose path has a colon is not begun: gpg and apt would take it for a URL", () => {
  const place = join(folder, "a:b");
  expect(() => requireNothingElse(statePaths(place))).toThrow(
    `${place} has a colon in its path`,
  );
});
