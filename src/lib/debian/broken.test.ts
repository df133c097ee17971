import { expect, test } from "vitest";

import type { NeedingPackage } from "./broken.ts";
import { brokenBetween, namesNeeded } from "./broken.ts";

const binary = (
  name: string,
  needs = "",
  version = "1",
  provides = "",
  conflicts = "",
): NeedingPackage => ({
  ...{ kind: "binary", name, version, needs, provides, conflicts },
});
const source = (name: string, needs: string): NeedingPackage => ({
  ...binary(name, needs),
  kind: "source",
});
const theirs = [binary("libc6", "", "2.36-9")];
const broken = (before: NeedingPackage[], after: NeedingPackage[]) =>
  brokenBetween(before, after, theirs, "amd64").map(
    ({ kind, name }) => `${kind} ${name}`,
  );

test("a library that goes breaks what depends on it, and what depends on that", () => {
  const users = [
    binary("zapp", "libc6 (>= 2.30), libzed1"),
    binary("zapp-tools", "zapp"),
    binary("other", "libc6"),
    source("zmore", "debhelper-compat (= 13) | libzed1"),
  ];
  expect(
    broken([binary("libzed1"), ...users], [binary("libzed2"), ...users]),
  ).toEqual(["binary zapp", "binary zapp-tools", "source zmore"]);
});

test("several sources are judged together, as a transition", () => {
  const before = [binary("libzed1"), binary("zapp", "libzed1")];
  const after = [binary("libzed2"), binary("zapp", "libzed2", "2")];
  expect(broken(before, after)).toEqual([]);
});

test("alternatives, provides and versions count", () => {
  const zapp = [
    binary("a", "libzed1 | libzed2"),
    binary("b", "libzed1 (>= 1)"),
    binary("c", "zed-abi"),
    binary("d", "libzed1 (<< 2)"),
    binary("e", "libzed1:any"),
    binary("f", "libzed1 [!amd64]"),
  ];
  const old = binary("libzed1", "", "1", "zed-abi");
  expect(
    broken(
      [old, ...zapp],
      [binary("libzed2", "", "2", "zed-abi, libzed1 (= 2)"), ...zapp],
    ),
  ).toEqual(["binary d"]);
  expect(broken([old, ...zapp], [binary("libzed1", "", "2"), ...zapp])).toEqual(
    ["binary c", "binary d"],
  );
});

test("what was broken before, or what the distribution has, is not this publication's doing", () => {
  const zapp = [binary("zapp", "gone"), binary("able", "libc6 (>= 2.36)")];
  expect(broken([binary("libc6", "", "3"), ...zapp], zapp)).toEqual([]);
});

test("a library that breaks its user of old makes that uninstallable, unless it is raised with it", () => {
  const zapp = (version: string) => binary("zapp", "libzed1", version);
  const before = [binary("libzed1"), zapp("1")];
  const breaking = binary("libzed1", "", "2", "", "zapp (<< 2)");
  expect(broken(before, [breaking, zapp("1")])).toEqual(["binary zapp"]);
  expect(broken(before, [breaking, zapp("2")])).toEqual([]);
  // Another that does not conflict will do; and sources are built without being installed.
  const either = [
    binary("zapp", "libzed1 | libzed2"),
    source("zapp", "libzed1"),
  ];
  expect(
    broken([...before, ...either], [breaking, binary("libzed2"), ...either]),
  ).toEqual([]);
});

test("needs that conflict with each other cannot be had together, and a package not with itself", () => {
  const zapp = binary("zapp", "a, b");
  const b = binary("b");
  expect(
    broken([binary("a"), b, zapp], [binary("a", "", "2", "", "b"), b, zapp]),
  ).toEqual(["binary zapp"]);
  const mail = binary("mta", "", "1", "mail-agent", "mail-agent");
  const user = binary("user", "mail-agent");
  expect(broken([mail, user], [{ ...mail, version: "2" }, user])).toEqual([]);
});

test("names what is needed", () => {
  expect([
    ...namesNeeded([binary("a", "b (>= 1) | c, d [i386]")], "amd64"),
  ]).toEqual(["b", "c"]);
});
