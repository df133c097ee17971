import { expect, test } from "vitest";

import { parseDeb822 } from "../../debian/deb822.ts";
import { momentIn, releaseText } from "./release.ts";

const like = `Origin: ours
Label: ours
Codename: bookworm
Date: Fri, 27 Nov 2020 14:44:18 UTC
Architectures: amd64
Components: main
MD5Sum:
 d41d8cd98f00b204e9800998ecf8427e 0 main/source/Sources
SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 main/source/Sources
`;
const at = Date.parse("2026-11-14T09:00:00Z");
const indexes = [
  { path: "main/source/Sources", size: 0, hash: "e3b0" },
  { path: "main/binary-amd64/Packages", size: 12, hash: "ab01" },
];

test("keeps the fields, dates it, and lists SHA-256 alone", () => {
  expect(
    releaseText(like, indexes, {
      at,
      validMs: 10 * 86_400_000,
      signedBy: ["A1", "B2"],
    }),
  ).toBe(`Origin: ours
Label: ours
Codename: bookworm
Date: Sat, 14 Nov 2026 09:00:00 UTC
Valid-Until: Tue, 24 Nov 2026 09:00:00 UTC
Signed-By: A1,B2
Acquire-By-Hash: yes
Architectures: amd64
Components: main
SHA256:
 ab01 12 main/binary-amd64/Packages
 e3b0 0 main/source/Sources
`);
});

test("says no end and no key where it has no end", () => {
  const text = releaseText(like, indexes, { at, validMs: null, signedBy: [] });
  expect(text).not.toMatch(/Valid-Until|Signed-By|MD5/);
  const [release] = parseDeb822(text);
  expect(momentIn(release, "Date")).toBe(at);
  expect(momentIn(release, "Valid-Until")).toBeNull();
});
