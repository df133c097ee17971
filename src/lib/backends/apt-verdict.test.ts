import { expect, test } from "vitest";

import { aptVerdict, readPrintUris } from "./apt-verdict.ts";

test("an unmet dependency is the package's fault, in apt's words", () => {
  expect(
    aptVerdict(
      `Some packages could not be installed.\nThe following packages have unmet dependencies:\n builddeps:x : Depends: libnone-dev but it is not installable\nE: Unable to correct problems, you have held broken packages.\n`,
    ),
  ).toEqual({
    blame: "package",
    line: "builddeps:x : Depends: libnone-dev but it is not installable",
    stale: false,
  });
});

test("a package that does not exist is the package's fault", () => {
  expect(aptVerdict("E: Unable to locate package nix").blame).toBe("package");
});

test("a 404 is ours, and fresh lists may help", () => {
  const verdict = aptVerdict(
    "Err:1 http://m x\n  404  Not Found\nE: Failed to fetch http://m/x.deb  404  Not Found\nE: Unable to fetch some archives",
  );
  expect(verdict).toMatchObject({ blame: "infrastructure", stale: true });
});

test("no space is ours, even when dpkg says it", () => {
  expect(
    aptVerdict(
      "dpkg: error processing archive x: cannot copy: No space left on device\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
    ).blame,
  ).toBe("infrastructure");
});

test("a failing maintainer script is the package's fault", () => {
  expect(
    aptVerdict(
      "dpkg: error processing package foo (--configure):\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
    ),
  ).toMatchObject({
    blame: "package",
    line: "dpkg: error processing package foo (--configure):",
  });
});

test("what nobody recognises is never the package's fault", () => {
  expect(aptVerdict("E: The moon is full")).toEqual({
    blame: "infrastructure",
    line: "E: The moon is full",
    stale: false,
  });
});

test("reads what apt would fetch, and from where", () => {
  expect(
    readPrintUris(
      "Reading package lists...\n'file:/run/ubuntu-ci/repo/p/pool/h.deb' hello_1%3a2.10-3_amd64.deb 5 SHA256:ab\n",
    ),
  ).toEqual([
    {
      uri: "file:/run/ubuntu-ci/repo/p/pool/h.deb",
      file: "hello_1%3a2.10-3_amd64.deb",
      package: "hello",
      version: "1:2.10-3",
      architecture: "amd64",
      hash: "SHA256:ab",
    },
  ]);
});
