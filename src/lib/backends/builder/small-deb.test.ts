import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { smallDeb } from "./small-deb.ts";

test("makes a package that dpkg reads, of the same bytes each time", () => {
  const control =
    "Package: hello\nVersion: 1.0\nArchitecture: all\nMaintainer: Dev <dev@example.com>\nDescription: greets";
  const folder = mkdtempSync(join(tmpdir(), "small-deb-"));
  try {
    const file = join(folder, "hello_1.0_all.deb");
    writeFileSync(file, smallDeb(control));
    const dpkg = (...args: string[]) =>
      execFileSync("dpkg-deb", args, { encoding: "utf8" });
    expect(dpkg("--field", file).trim()).toBe(control);
    expect(dpkg("--contents", file)).toMatch(
      /^drwxr-xr-x root\/root .* \.\/\n$/,
    );
    expect(smallDeb(control).equals(smallDeb(control))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
