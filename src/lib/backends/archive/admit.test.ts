import { expect, test } from "vitest";

import { downgraded, overtaken, poolFolder, remaining } from "./admit.ts";
import type { PublishedPackage } from "./index-files.ts";

const one = (
  kind: "source" | "binary",
  name: string,
  version: string,
  source = name,
): PublishedPackage => ({
  ...{ kind, name, version, source, files: [] },
  architecture: kind === "source" ? "source" : "amd64",
});
const published = [
  one("source", "hello", "2.10-3"),
  one("binary", "hello", "2.10-3"),
  one("binary", "hello-data", "2.10-3", "hello"),
  one("source", "other", "1"),
  one("binary", "tool", "1:5", "other"),
];
const wanted = (name: string, version: string) => [{ name, version, dsc: "" }];

test.each([
  ["2.10-2", "the archive holds hello 2.10-3, which is above 2.10-2"],
  ["2.10-3", "the archive holds hello 2.10-3 already"],
  ["2.10-3~bpo1", "the archive holds hello 2.10-3, which is above 2.10-3~bpo1"],
  ["2.10-3+b1", undefined],
  ["1:0", undefined],
])("hello %s: %s", (version, reason) => {
  expect(overtaken(wanted("hello", version), published)).toBe(reason);
});

test("a source of another name is not in the way", () => {
  expect(overtaken(wanted("hell", "1"), published)).toBeUndefined();
});

test("a binary package never goes down, whatever source it comes from", () => {
  const taken = (version: string) => [one("binary", "tool", version, "hello")];
  expect(downgraded(taken("6"), published)).toContain(
    "tool 1:5 of source other",
  );
  expect(downgraded(taken("1:6"), published)).toBeUndefined();
});

test("a source's binaries go with it, and a binary that another source takes over", () => {
  const left = remaining(
    published,
    new Set(["hello"]),
    new Set(["hello", "tool"]),
  );
  expect(left.map(({ name }) => name)).toEqual(["other"]);
});

test("finds a source's folder in a pool", () => {
  expect(poolFolder("hello")).toBe("pool/main/h/hello");
  expect(poolFolder("libfoo")).toBe("pool/main/libf/libfoo");
});
