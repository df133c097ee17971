import { expect, test } from "vitest";

import {
  downgraded,
  foreign,
  overtaken,
  poolFolder,
  remaining,
  selected,
} from "./admit.ts";
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
const wanted = (name: string, version: string) => [{ name, version }];

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

test("what its source does not say that it builds is not published", () => {
  const file = (name: string, path: string, source = "hello") => ({
    ...one("binary", name, "2.10-4", source),
    files: [{ path, size: 1, sha256: "0" }],
  });
  const hello = [{ name: "hello", version: "2.10-4", builds: ["hello"] }];
  const why = (...packages: PublishedPackage[]) => foreign(packages, hello);
  expect(why(file("hello", "pool/h/hello_2.10-4_amd64.deb"))).toBeUndefined();
  expect(why(file("victim", "pool/h/hello_2.10-4_amd64.deb"))).toContain(
    "hello_2.10-4_amd64.deb holds victim 2.10-4 of amd64",
  );
  expect(why(file("victim", "pool/h/victim_2.10-4_amd64.deb"))).toContain(
    "the Binary field of hello does not name",
  );
  expect(why(file("hello", "pool/h/hello_2.10-4_amd64.deb", "x"))).toContain(
    "its source is x, which is not in the ticket",
  );
});

test("a source's binaries go with it, and a binary that another source takes over", () => {
  const left = remaining(
    published,
    new Set(["hello"]),
    new Set(["hello", "tool"]),
  );
  expect(left.map(({ name }) => name)).toEqual(["other"]);
});

test("of a PPA, other sources that it holds stay behind with their binaries", () => {
  const names = (what: readonly { name: string; version: string }[]) =>
    selected("ppa", published, what).map(({ kind, name }) => `${kind} ${name}`);
  expect(names(wanted("hello", "2.10-3"))).toEqual([
    "source hello",
    "binary hello",
    "binary hello-data",
  ]);
  // A package whose control file names a source that was not built comes with those that were.
  const stray = [...published, one("binary", "stray", "1", "nowhere")];
  expect(
    selected("ppa", stray, wanted("other", "1")).map(({ name }) => name),
  ).toEqual(["other", "tool", "stray"]);
});

test.each([
  ["hello", "2.10-4", "ppa holds 2.10-3 of hello, not 2.10-4 alone"],
  ["gone", "1", "ppa holds nothing of gone, not 1 alone"],
])("of a PPA, %s %s cannot be copied", (name, version, message) => {
  expect(() => selected("ppa", published, wanted(name, version))).toThrow(
    message,
  );
});

test("finds a source's folder in a pool", () => {
  expect(poolFolder("hello")).toBe("pool/main/h/hello");
  expect(poolFolder("libfoo")).toBe("pool/main/libf/libfoo");
});
