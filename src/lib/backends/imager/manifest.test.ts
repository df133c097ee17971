import { expect, test } from "vitest";

import { readPackages } from "../published.ts";
import { readManifest, wrongOrigin } from "./manifest.ts";

const binaries = readPackages(
  "Package: hello\nVersion: 2.10-3+1\nArchitecture: amd64\nFilename: pool/main/h/hello/h.deb\nDescription: x\n y\n\nPackage: lib\nVersion: 1\nArchitecture: all\nFilename: pool/l.deb\n",
);
const ppa = { name: "ci_pool-001", binaries };

test("every installed package has its repository", () => {
  expect(
    readManifest(
      "zlib\t1\tamd64\tii \nhello\t2.10-3+1\tamd64\tii \ngone\t1\tall\trc \nlib\t1\tall\tii \n",
      "bookworm",
      [{ package: "hello", version: "2.10-3+1", from: "ci_pool-001" }],
      [{ name: "archive", binaries }],
    ),
  ).toEqual([
    {
      package: "hello",
      version: "2.10-3+1",
      architecture: "amd64",
      from: "ci_pool-001",
    },
    { package: "lib", version: "1", architecture: "all", from: "archive" },
    { package: "zlib", version: "1", architecture: "amd64", from: "bookworm" },
  ]);
});

test("a package of the PPA that came from elsewhere is told", () => {
  const entry = {
    package: "hello",
    version: "2.10-3+1",
    architecture: "amd64",
    from: "bookworm",
  };
  expect(wrongOrigin([entry], ["hello"], ppa)).toBe(
    "hello 2.10-3+1 came from bookworm, not from ci_pool-001",
  );
  expect(
    wrongOrigin([{ ...entry, from: "ci_pool-001" }], ["hello"], ppa),
  ).toBeUndefined();
  expect(wrongOrigin([], ["nano"], ppa)).toBe(
    "nano is not installed in the image",
  );
});

test("a package that the PPA does not have may come from the distribution", () => {
  expect(
    wrongOrigin(
      [
        {
          package: "nano",
          version: "1",
          architecture: "all",
          from: "bookworm",
        },
      ],
      ["nano"],
      ppa,
    ),
  ).toBeUndefined();
});
