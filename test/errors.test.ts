import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { fakeBackends, Installation } from "./support/program.ts";

let ci: Installation;

beforeAll(() => {
  ci = new Installation(fakeBackends);
  ci.ok("init");
});
afterAll(() => ci.remove());

/** Runs a command with --json that has to fail, and returns the document and the first line for people. */
function errorOf(...args: string[]): { error: unknown; said: string } {
  const { code, stdout, stderr } = ci.run(...args, "--json");
  const { error } = JSON.parse(stdout) as { error: { exit: number } };
  expect(error.exit).toBe(code);
  return { error, said: stderr.split("\n")[0] ?? "" };
}

test("with --json an error is a document on standard output, too", () => {
  expect(errorOf("status", "99")).toEqual({
    error: {
      message: "there is no ticket 99",
      hint: `\`${ci.line("status")}\` lists them`,
      exit: 2,
      problems: [],
    },
    said: "ubuntu-ci: there is no ticket 99",
  });
});

test("it has all problems with their places", () => {
  const file = join(ci.root, "not-there_1.0_source.changes");
  expect(errorOf("create_ticket", "-t", "x", "-s", file).error).toMatchObject({
    exit: 2,
    problems: [
      { where: file, field: null, message: expect.any(String) as string },
    ],
  });
});

test("a wrong command line is one, and so is maintenance", () => {
  expect(errorOf().error).toMatchObject({
    message: "no command was named",
    exit: 2,
  });
  expect(errorOf("status", "--what").error).toMatchObject({
    message: expect.stringContaining("unknown option") as string,
    exit: 2,
  });
  ci.ok("maintenance", "on");
  expect(errorOf("land").error).toMatchObject({
    message: expect.stringContaining("maintenance") as string,
    exit: 75,
  });
  ci.ok("maintenance", "off");
});
