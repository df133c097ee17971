import { expect, test } from "vitest";

import { redact, secretsOf } from "./redact.ts";

test.each([
  [
    "http://user:hunter2@proxy:3128/ is away",
    "http://[redacted]@proxy:3128/ is away",
  ],
  [
    "https://glpat-123456@git.example.org/x",
    "https://[redacted]@git.example.org/x",
  ],
  ["Authorization: Bearer abc.def.ghi", "Authorization: [redacted]"],
  ["curl said: bearer abcdefgh1234", "curl said: bearer [redacted]"],
  ["password=hunter2 user=me", "password=[redacted] user=me"],
  ['{"token": "s3cr3t!"}', '{"token": "[redacted]"}'],
  ["SWIFT_SECRET=abc", "SWIFT_SECRET=[redacted]"],
  [
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQVY\n-----END PGP PRIVATE KEY BLOCK-----\n",
    "[redacted]\n",
  ],
])("blanks out %s", (text, clean) => {
  expect(redact(text)).toBe(clean);
});

test.each([
  "hello 2.10-3: 200 Package Building",
  "http://deb.example.org/debian bookworm Release has no key 738238753ABAFE9B",
  "the tokenizer passed: 3 tests",
])("leaves %s alone", (text) => {
  expect(redact(text)).toBe(text);
});

test("blanks out the values of secret environment variables", () => {
  const secrets = secretsOf({
    SMTP_PASSWORD: "correct horse",
    GITHUB_TOKEN: "ghs_1234",
    MONKEY: "banana",
    KEY: "abc",
    PATH: "/usr/bin",
  });
  expect(secrets).toEqual(["correct horse", "ghs_1234"]);
  expect(redact("banana and correct horse", secrets)).toBe(
    "banana and [redacted]",
  );
});
