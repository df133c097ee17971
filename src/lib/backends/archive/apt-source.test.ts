import { expect, test } from "vitest";

import { fileUri } from "../apt-repository.ts";
import { aptSource } from "./apt-source.ts";

const repository = {
  name: "archive",
  uri: fileUri("/srv/my archive"),
  suite: "bookworm",
  component: "main",
  signingKey:
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n=de\n-----END PGP PUBLIC KEY BLOCK-----\n",
} as const;

test("is a deb822 stanza with the key in it", () => {
  expect(aptSource(repository)).toBe(
    `Types: deb deb-src
URIs: file:/srv/my%20archive
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 =de
 -----END PGP PUBLIC KEY BLOCK-----
`,
  );
});

test("names the address it is told", () => {
  expect(aptSource(repository, "https://archive.example.com/")).toContain(
    "\nURIs: https://archive.example.com/\n",
  );
});
