import fc from "fast-check";
import { expect, test } from "vitest";

import { mayUpload, problemsOfGlobs, rightsOf } from "./package-rights.ts";

test.each([
  ["hello", "hello", true],
  ["hello", "hello2", false],
  ["hello*", "hello", true],
  ["hello*", "hello-traditional", true],
  ["*hello", "hello", true],
  ["python3-*-dev", "python3-a-dev-dev", true],
  ["python3-*-dev", "python3-dev", false],
  ["lib?", "libc", true],
  ["lib?", "lib", false],
  ["a.b", "axb", false],
  ["*", "anything", true],
  ["?*", "", false],
])("%s is good for %s: %s", (glob, source, may) => {
  expect(mayUpload([glob], source)).toBe(may);
});

test("without limits everything may be uploaded, with none of them nothing", () => {
  expect(mayUpload(null, "hello")).toBe(true);
  expect(mayUpload([], "hello")).toBe(false);
  expect(rightsOf(["hello", "**"])).toBeNull();
});

test("globs mean what regular expressions of them mean", () => {
  const of = (letters: string[]) =>
    fc
      .array(fc.constantFrom(...letters), { maxLength: 12 })
      .map((all) => all.join(""));
  fc.assert(
    fc.property(of(["a", "b", "*", "?"]), of(["a", "b"]), (glob, name) => {
      const pattern = glob.replaceAll("*", ".*").replaceAll("?", ".");
      expect(mayUpload([glob], name)).toBe(
        new RegExp(`^${pattern}$`).test(name),
      );
    }),
  );
});

test("a glob of many stars takes no longer than a name is long", () => {
  const glob = `${"*a".repeat(60)}*b`;
  expect(problemsOfGlobs([glob])).toEqual([]);
  const cpu = (length: number) => {
    const before = process.cpuUsage();
    expect(mayUpload([glob], "a".repeat(length))).toBe(false);
    const { user } = process.cpuUsage(before);
    return user;
  };
  cpu(100_000);
  expect(cpu(1_600_000)).toBeLessThan(100 * (cpu(100_000) + 1000));
});
