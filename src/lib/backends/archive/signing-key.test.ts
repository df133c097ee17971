import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { exec } from "../../host/exec.ts";
import type { KeyPaths } from "./signing-key.ts";
import {
  ensureSigningKey,
  execSigning,
  readSigningKey,
} from "./signing-key.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "signing-key-"))));
afterEach(() => rmSync(folder, { recursive: true }));
const homes = () =>
  readdirSync(tmpdir()).filter((name) => name.startsWith("ubuntu-ci-gnupg-"));
const at = (gnupg: string): KeyPaths => ({
  gnupg,
  run: join(gnupg, "../run"),
  locks: join(gnupg, "../locks"),
});

test("makes a key once, in a folder of any length, for its owner alone", async () => {
  const gnupg = join(folder, "long".repeat(40), "gnupg");
  mkdirSync(join(gnupg, ".."));
  const key = await ensureSigningKey(at(gnupg), "archive of a test");
  expect(key.fingerprint).toMatch(/^[0-9A-F]{40}$/);
  expect(key.publicKey).toMatch(/^-----BEGIN PGP PUBLIC KEY BLOCK-----\n/);
  expect(await ensureSigningKey(at(gnupg), "another")).toEqual(key);
  expect(await readSigningKey(gnupg)).toEqual(key);
  expect(statSync(gnupg).mode & 0o077).toBe(0);
  expect(readdirSync(join(gnupg, ".."))).toEqual(["gnupg", "locks"]);

  const before = homes();
  const file = join(folder, "message");
  writeFileSync(file, "hello\n");
  const sign = ["gpg", "--batch", "-u", key.fingerprint, "--clearsign", file];
  const signed = await execSigning(at(gnupg), sign);
  expect(signed.stderr).toBe("");
  expect(signed.exitCode).toBe(0);
  const ring = join(gnupg, "pubring.kbx");
  const checked = await exec(["gpgv", "--keyring", ring, `${file}.asc`]);
  expect(checked.exitCode).toBe(0);
  expect(homes()).toEqual(before);
});

test("refuses a folder that somebody else's keys are in", async () => {
  const gnupg = join(folder, "gnupg");
  mkdirSync(gnupg);
  writeFileSync(join(gnupg, "pubring.kbx"), "");
  await expect(ensureSigningKey(at(gnupg), "test")).rejects.toMatchObject({
    exitCode: 78,
  });
  expect(readdirSync(gnupg)).toEqual(["pubring.kbx"]);
});

test("makes a key after a run that was killed, and leaves nothing of that one", async () => {
  // Short enough for a socket's path, as a state folder mostly is.
  rmSync(folder, { recursive: true });
  folder = mkdtempSync("/tmp/key-");
  const gnupg = join(folder, "gnupg");
  mkdirSync(join(gnupg + ".new", "private-keys-v1.d"), { recursive: true });
  writeFileSync(join(gnupg + ".new", "private-keys-v1.d/half.key"), "");
  const home = join(folder, "run/ubuntu-ci-gnupg-4999999-1-x");
  mkdirSync(home, { recursive: true });
  await ensureSigningKey(at(gnupg), "test");
  expect(readdirSync(folder)).toEqual(["gnupg", "locks", "run"]);
  expect(readdirSync(join(gnupg, "private-keys-v1.d"))).toHaveLength(1);
  expect(existsSync(home)).toBe(false);
});

test("two at once make one key", async () => {
  const gnupg = join(folder, "gnupg");
  const [a, b] = await Promise.all([
    ensureSigningKey(at(gnupg), "test"),
    ensureSigningKey(at(gnupg), "test"),
  ]);
  expect(a).toEqual(b);
  expect(existsSync(gnupg)).toBe(true);
});
