import fc from "fast-check";
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

test("blames the package by the same words as one pattern would", () => {
  const pattern =
    /dependency .* cannot be satisfied|but .* is to be installed|version .* was not found/i;
  const words = [
    ...["dependency", "cannot", "be", "satisfied", "but", "BUT", "is"],
    ...["to", "installed", "version", "was", "not", "found", "is to be"],
    ...[" is to be installed", "but ", " was not found", "x"],
  ];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...words), { maxLength: 12 }),
      (said) => {
        const line = said.join(" ");
        expect(aptVerdict(line).blame === "package").toBe(
          pattern.test(line.trim()),
        );
      },
    ),
    { numRuns: 2000 },
  );
});

test("a line of apt's without an end is a reason of bearable length", () => {
  const { blame, line } = aptVerdict(
    `x : Depends: y but z is to be installed${"!".repeat(10_000_000)}`,
  );
  expect(blame).toBe("package");
  expect(line).toHaveLength(1000);
});

test("a name that cannot be unescaped is taken as it is", () => {
  expect(
    readPrintUris("'file:/x' a%_1%3a2_all.deb 1 SHA256:x\n"),
  ).toMatchObject([{ package: "a%", version: "1:2", architecture: "all" }]);
});
