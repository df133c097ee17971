import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { collectBuild } from "./collect.ts";
import { smallDeb } from "./small-deb.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "collect-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** What a build left: these packages, and a .changes that names them. */
function leave(packages: Readonly<Record<string, string>>): void {
  const lines = Object.entries(packages).map(([name, named]) => {
    const file = `${name}_1.0_all.deb`;
    const bytes = smallDeb(
      `Package: ${named}\nSource: small\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@example.com>\nDescription: small`,
    );
    writeFileSync(join(folder, file), bytes);
    const sum = (kind: string) => createHash(kind).update(bytes).digest("hex");
    return {
      md5: ` ${sum("md5")} ${bytes.length} misc optional ${file}`,
      sha1: ` ${sum("sha1")} ${bytes.length} ${file}`,
      sha256: ` ${sum("sha256")} ${bytes.length} ${file}`,
    };
  });
  writeFileSync(
    join(folder, "small_1.0_all.changes"),
    [
      "Format: 1.8\nSource: small\nVersion: 1.0\nArchitecture: all\nDistribution: bookworm",
      "Date: Thu, 26 Nov 2026 12:00:00 +0000\nBinary: small\nChanges:\n small",
      "Maintainer: A <a@example.com>\nChanged-By: A <a@example.com>",
      "Checksums-Sha1:",
      ...lines.map(({ sha1 }) => sha1),
      "Checksums-Sha256:",
      ...lines.map(({ sha256 }) => sha256),
      "Files:",
      ...lines.map(({ md5 }) => md5),
      "",
    ].join("\n"),
  );
}

/** The source package, which says that it builds these. */
function dscOf(...builds: readonly string[]): string {
  const dsc = join(folder, "small_1.0.dsc");
  const sums = (kind: string) =>
    ` ${"0".repeat(kind === "md5" ? 32 : 64)} 1 small_1.0.tar.xz`;
  writeFileSync(
    dsc,
    [
      "Format: 3.0 (native)\nSource: small\nVersion: 1.0\nArchitecture: all",
      `Binary: ${builds.join(", ")}\nMaintainer: A <a@example.com>`,
      `Checksums-Sha256:\n${sums("sha256")}\nFiles:\n${sums("md5")}\n`,
    ].join("\n"),
  );
  return dsc;
}

const collect = (signal = new AbortController().signal) =>
  collectBuild(
    folder,
    readdirSync(folder),
    { source: "small", version: "1.0", dsc: dscOf("small", "other") },
    signal,
  );

test("the packages of a build, and the list that names them", async () => {
  leave({ small: "small", other: "other" });
  expect((await collect()).map(({ name }) => name)).toEqual([
    "small_1.0_all.deb",
    "other_1.0_all.deb",
    "small_1.0_all.changes",
  ]);
});

test("a package whose name is none is the build's fault, not the archive's", async () => {
  leave({ small: "x" });
  await expect(collect()).rejects.toThrow(
    "small_1.0_all.deb is of a package whose name is none: x",
  );
});

test("a package that is another than its name says is the build's fault", async () => {
  leave({ small: "victim" });
  await expect(collect()).rejects.toThrow(
    "small_1.0_all.deb holds victim 1.0 of all",
  );
});

test("so is one that its source does not say it builds", async () => {
  leave({ small: "small", less: "less" });
  await expect(collect()).rejects.toThrow(
    "less_1.0_all.deb is of less, which the Binary field of small does not name",
  );
});

test("looking at it ends when the build's time is over", async () => {
  leave({ small: "small" });
  await expect(collect(AbortSignal.abort())).rejects.toThrow(/abort/i);
});
