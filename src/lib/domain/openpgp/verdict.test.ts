import { expect, test } from "vitest";

import { signatureVerdict } from "./verdict.ts";

const key = "807C2F5912910470DD5EAAFF726E2416075D1095";
const primary = "E28A032E6BB34F18C6BC53114AA35AE2CBCA6424";
const now = 1_795_656_152;

const good = [
  "PLAINTEXT 74 0 ",
  "NEWSIG a@example.com",
  `KEY_CONSIDERED ${key} 0`,
  "GOODSIG 726E2416075D1095 A <a@example.com>",
  `VALIDSIG ${key} 2026-11-26 ${now} 0 4 0 22 10 01 ${primary}`,
];
const verdict = (lines: readonly string[], exitCode: number | undefined = 0) =>
  signatureVerdict(
    lines.map((line) => `[GNUPG:] ${line}\n`).join(""),
    exitCode,
    now,
  );
const with_ = (before: string, after: string) =>
  good.map((line) => line.replace(before, after));

test("one good signature names the key that signed, and whose it is", () => {
  expect(verdict(good)).toEqual({
    kind: "good",
    signingKey: key,
    primaryKey: primary,
  });
});

test.each([
  ["a line that is missing", good.slice(1)],
  ["no VALIDSIG", good.slice(0, -1)],
  ["no GOODSIG", good.filter((line) => !line.startsWith("GOODSIG"))],
  ["two signatures", [...good, ...good]],
  ["two texts", [...good, "PLAINTEXT 74 0 "]],
  ["an error", [...good, "ERROR keydb_search 33554445"]],
  ["a failure", [...good, "FAILURE gpg-exit 33554433"]],
  ["nothing", []],
])("%s is not good", (_what, lines) => {
  expect(verdict(lines)).toEqual({ kind: "bad", message: "is not valid" });
});

test("gpgv that failed, or was ended, is not good, whatever it said", () => {
  for (const exitCode of [1, 2])
    expect(verdict(good, exitCode).kind).toBe("bad");
  expect(signatureVerdict(good.join("\n"), undefined, now).kind).toBe("bad");
});

test("a line that only looks like one of the status is none", () => {
  expect(signatureVerdict(good.join("\n"), 0, now).kind).toBe("bad");
});

test.each([
  ["BADSIG 726E2416075D1095 A", "does not match the contents"],
  ["REVKEYSIG 726E2416075D1095 A", "is of a revoked key"],
  ["EXPKEYSIG 726E2416075D1095 A", "is of an expired key"],
  ["EXPSIG 726E2416075D1095 A", "has expired"],
  ["ERRSIG 726E2416075D1095 22 2 01 1 5 X", "is made with SHA-1"],
  ["ERRSIG 726E2416075D1095 22 10 01 1 6 X", "self-signatures"],
  ["ERRSIG 726E2416075D1095 22 10 01 1 125 X", "may not sign"],
  ["ERRSIG 726E2416075D1095 22 10 01 1 4 X", "cannot be checked"],
])("%s speaks against all the others", (line, message) => {
  expect(verdict([...good, line])).toEqual({
    kind: "bad",
    message: expect.stringContaining(message) as string,
  });
});

test("an unknown key is told from a bad signature", () => {
  expect(
    verdict(["NEWSIG", "ERRSIG 72 22 10 01 1 9 X", "NO_PUBKEY 72"], 2),
  ).toEqual({
    kind: "unknown key",
    message: "is of a key that no uploader has (72)",
  });
});

test.each([
  [" 22 10 01", " 22 2 01", "is made with SHA-1"],
  [" 22 10 01", " 22 3 01", "is made with RIPEMD-160"],
  [" 22 10 01", " 22 1 01", "is made with MD5"],
  [" 22 10 01", " 22 99 01", "is made with digest 99"],
  [" 22 10 01", " 22 10 00", "is of another kind (class 00)"],
  [` ${now} `, ` ${now + 901} `, "is dated in the future (2026-"],
  [` ${now} `, " soon ", "is dated in the future"],
])("%s as %s is refused", (before, after, message) => {
  expect(verdict(with_(before, after))).toEqual({
    kind: "bad",
    message: expect.stringContaining(message) as string,
  });
});

test("a quarter of an hour ahead is what clocks may differ by", () => {
  expect(verdict(with_(` ${now} `, ` ${now + 900} `)).kind).toBe("good");
});
