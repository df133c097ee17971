import { readFileSync } from "node:fs";

import Database from "better-sqlite3";
import { expect, test } from "vitest";

import { troubleOfMachine } from "./error.ts";

const withCode = (code: string) =>
  Object.assign(new Error("it broke"), { code });

test.each([
  ["ENOSPC", 75, "no space is left: it broke"],
  ["SQLITE_FULL", 75, "no space is left: it broke"],
  ["SQLITE_BUSY_SNAPSHOT", 75, "another process uses it: it broke"],
  ["SQLITE_IOERR_WRITE", 75, "the disk does not work: it broke"],
  ["EACCES", 78, "permission is denied: it broke"],
  ["EROFS", 78, "the file system is read-only: it broke"],
])("%s is the machine's trouble, exit %i", (code, exitCode, message) => {
  expect(troubleOfMachine(withCode(code))).toMatchObject({ exitCode, message });
});

test.each([
  ["a missing file", () => readFileSync("/nowhere")],
  ["a broken query", () => new Database(":memory:").exec("SELEC")],
  ["no error", () => undefined],
])("%s is not", (_, provoke) => {
  let thrown: unknown;
  try {
    provoke();
  } catch (caught) {
    thrown = caught;
  }
  expect(troubleOfMachine(thrown)).toBeUndefined();
});
