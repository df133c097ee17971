import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { fakeBackends, Installation } from "./support/program.ts";

let ci: Installation;

beforeAll(() => {
  ci = new Installation(fakeBackends);
  ci.ok("init");
});
afterAll(() => ci.remove());

/** Runs a command with --json that has to fail, and returns the document, which says all. */
function errorOf(...args: string[]): unknown {
  const { code, stdout, stderr } = ci.run(...args, "--json");
  const { error } = JSON.parse(stdout) as { error: { exit: number } };
  expect(error.exit).toBe(code);
  expect(stderr).toBe("");
  return error;
}

test("with --json an error is a document on standard output, and nothing else", () => {
  expect(errorOf("status", "99")).toEqual({
    message: "there is no ticket 99",
    hint: `\`${ci.line("status")}\` lists them`,
    exit: 2,
    problems: [],
  });
});

test("it has all problems with their places", () => {
  const file = join(ci.root, "not-there_1.0_source.changes");
  expect(errorOf("create_ticket", "-t", "x", "-s", file)).toMatchObject({
    exit: 2,
    problems: [
      { where: file, field: null, message: expect.any(String) as string },
    ],
  });
});

test("a wrong command line is one, and so is maintenance", () => {
  expect(errorOf()).toMatchObject({ message: "no command was named", exit: 2 });
  expect(errorOf("lnad")).toMatchObject({ hint: "Did you mean land?" });
  expect(errorOf("status", "--what")).toMatchObject({
    message: expect.stringContaining("unknown option") as string,
    exit: 2,
  });
  ci.ok("maintenance", "on");
  expect(errorOf("land")).toMatchObject({
    message: expect.stringContaining("maintenance") as string,
    exit: 75,
  });
  ci.ok("maintenance", "off");
});
