import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import type { KnownStanzas } from "./index-files.ts";
import { readNeeds, readPublished } from "./index-files.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "index-files-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const binary = (name: string, version: string) =>
  `Package: ${name}\nVersion: ${version}\nArchitecture: all\nDepends: libc6\nConflicts: other\nFilename: pool/${name}.deb\nSize: 1\nSHA256: x\n`;
const source =
  "Package: hello\nVersion: 1\nDirectory: pool/hello\nChecksums-Sha256:\n x 1 hello.dsc\nBuild-Depends: debhelper\n";

function distribution(packages: readonly string[]): string {
  const folder = mkdtempSync(join(root, "series-"));
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  put("Release", "SHA256:\n x 1 main/Packages\n x 1 main/Sources\n");
  put("main/Packages", packages.join("\n"));
  put("main/Sources", source);
  return folder;
}

test("tells what the indexes of a distribution publish, and what that needs", async () => {
  const folder = distribution([binary("a", "1"), binary("b", "2")]);
  expect(
    (await readPublished(folder)).map(({ kind, name, version, files }) => [
      ...[kind, name, version],
      ...files.map(({ path }) => path),
    ]),
  ).toEqual([
    ["binary", "a", "1", "pool/a.deb"],
    ["binary", "b", "2", "pool/b.deb"],
    ["source", "hello", "1", "pool/hello/hello.dsc"],
  ]);
  expect(
    (await readNeeds(folder)).map(({ name, needs, conflicts }) => [
      ...[name, needs, conflicts],
    ]),
  ).toEqual([
    ["a", "libc6", "other"],
    ["b", "libc6", "other"],
    ["hello", "debhelper", ""],
  ]);
});

test("reads a stanza once that several indexes have", async () => {
  const known: KnownStanzas = new Map();
  const before = distribution([binary("a", "1"), binary("b", "2")]);
  const after = distribution([binary("a", "1"), binary("b", "3")]);
  const [a, b, hello] = await readPublished(before, known);
  const [sameA, otherB, sameHello] = await readPublished(after, known);
  expect(sameA).toBe(a);
  expect(sameHello).toBe(hello);
  expect([b?.version, otherB?.version]).toEqual(["2", "3"]);
});
