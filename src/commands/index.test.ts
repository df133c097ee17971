import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { topics } from "../cli/command.ts";
import { commandName, commands, otherSpelling } from "./index.ts";

const bin = join(import.meta.dirname, "../../bin");

test("bin/ has every command in both spellings, and nothing else (maintenance/make-bin)", () => {
  const names = Object.keys(commands).flatMap((name) => [
    name,
    otherSpelling(name),
  ]);
  const others = ["package.json", "ubuntu-ci", "ubuntu-ci-testbed"];
  expect(readdirSync(bin).sort()).toEqual([
    ...new Set([...names, ...others].sort()),
  ]);
  for (const name of ["ubuntu-ci", ...names]) {
    expect(statSync(join(bin, name)).mode & 0o111, name).toBe(0o111);
    expect(readFileSync(join(bin, name), "utf8"), name).toBe(
      readFileSync(join(bin, "ubuntu-ci"), "utf8"),
    );
  }
});

test("a command's file lies in the folder of its topic", () => {
  for (const [name, { topic }] of Object.entries(commands)) {
    const file = `${name.replaceAll("_", "-")}.ts`;
    expect(readdirSync(join(import.meta.dirname, topic)), name).toContain(file);
  }
  expect(Object.keys(topics).sort()).toEqual(
    readdirSync(import.meta.dirname, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort(),
  );
});

test("underscores and hyphens are alike in a command's name", () => {
  expect(commandName("create-ticket")).toBe("create_ticket");
  expect(commandName("build_source")).toBe("build-source");
  expect(commandName("create ticket")).toBeUndefined();
});
