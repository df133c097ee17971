import { describe, expect, test } from "vitest";

import { dscForApt, knownDepsKey, stillHolds } from "./known-deps.ts";

const dsc = (wants: string, rest = "") => `Format: 3.0 (native)
Source: hello
Version: 1
${wants}${rest}`;

describe("what a resolution is known under", () => {
  const base = { digest: "sha256:00" };
  const key = knownDepsKey(base, dsc("Build-Depends: debhelper (>= 9)\n"));

  test("another version of the source with the same wishes shares it", () => {
    const next = dsc("Build-Depends: debhelper (>= 9)\n", "Homepage: x\n");
    expect(knownDepsKey(base, next.replace("1", "2"))).toBe(key);
  });

  test.each([
    [
      "another base",
      { digest: "sha256:01" },
      "Build-Depends: debhelper (>= 9)\n",
    ],
    ["another wish", base, "Build-Depends: debhelper (>= 10)\n"],
    [
      "a conflict",
      base,
      "Build-Depends: debhelper (>= 9)\nBuild-Conflicts: x\n",
    ],
  ])("%s does not", (_, other, wants) => {
    expect(knownDepsKey(other, dsc(wants))).not.toBe(key);
  });
});

test("apt is told of the alternatives that a build daemon considers", () => {
  const signed = (text: string) =>
    `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${text}\n-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n`;
  const wants =
    "Build-Depends: absent | zlib1g-dev,\n debhelper (>= 9) | x,\n gcc\nBuild-Conflicts: a | b\nbuild-depends-indep: c [i386] | d\n";
  const told = dsc(
    "Build-Depends: absent ,\n debhelper (>= 9) ,\n gcc\nBuild-Conflicts: a | b\nbuild-depends-indep:  d\n",
  );
  expect(dscForApt(dsc(wants), "amd64")).toBe(told);
  expect(dscForApt(signed(dsc(wants)), "amd64")).toBe(told);
});

describe("a resolution holds", () => {
  const known = { layer: "l", names: ["debhelper", "libc6", "awk"] };
  const source = dsc(
    "Binary: hello\nBuild-Depends: debhelper | other-helper\n",
  );
  const own = (name: string, provides = "", essential = false) => [
    { package: name, provides, essential },
  ];

  test("while nothing of ours goes by a name that had a part in it", () => {
    expect(stillHolds(known, source, [])).toBe(true);
    expect(stillHolds(known, source, own("greeter", "greet (= 1)"))).toBe(true);
    // The version before of what is being built.
    expect(stillHolds(known, source, own("hello"))).toBe(true);
  });

  test.each([
    ["a package that was installed", own("libc6")],
    ["one that was only named", own("awk")],
    ["an alternative that was not taken", own("other-helper")],
    ["a provider of one", own("mine", "x, awk (= 1)")],
    ["an essential package", own("mine", "", true)],
  ])("not once we publish %s", (_, published) => {
    expect(stillHolds(known, source, published)).toBe(false);
  });
});
