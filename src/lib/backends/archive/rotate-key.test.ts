import {
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
import {
  addSigningKey,
  isRotationUnfinished,
  removeRetiredKeys,
  retiredKeys,
  retireSigningKey,
  rotationDone,
} from "./rotate-key.ts";
import type { KeyPaths } from "./signing-key.ts";
import {
  ensureSigningKey,
  execSigning,
  makeKeyIn,
  readSigningKey,
  signers,
} from "./signing-key.ts";

let folder: string;
let paths: KeyPaths;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rotate-key-"));
  paths = {
    gnupg: join(folder, "gnupg"),
    run: join(folder, "run"),
    locks: join(folder, "locks"),
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

const secrets = () => readdirSync(join(paths.gnupg, "private-keys-v1.d"));

/** The fingerprints of keys in an armoured text, as gpg reads them. */
async function fingerprintsIn(armour: string): Promise<string[]> {
  const file = join(folder, "armour.asc");
  writeFileSync(file, armour);
  const { stdout } = await exec([
    ...["gpg", "--homedir", folder, "--batch", "--with-colons"],
    ...["--show-keys", file],
  ]);
  return [...stdout.matchAll(/^fpr:+([0-9A-F]{40}):/gm)].map(
    ([, fingerprint = ""]) => fingerprint,
  );
}

test("a new key signs beside the old one, until that is retired and gone", async () => {
  const old = await ensureSigningKey(paths, "test");
  const both = await addSigningKey(paths, "test");
  expect(await readSigningKey(paths.gnupg)).toEqual(both);
  expect(both.previous?.fingerprint).toBe(old.fingerprint);
  expect((await fingerprintsIn(both.publicKey)).sort()).toEqual(
    signers(both)
      .map(({ fingerprint }) => fingerprint)
      .sort(),
  );
  // apt reads one block.
  expect(both.publicKey.match(/BEGIN PGP/g)).toHaveLength(1);
  expect(secrets()).toHaveLength(2);
  await rotationDone(paths);
  for (const name of secrets())
    expect(
      statSync(join(paths.gnupg, "private-keys-v1.d", name)).mode & 0o777,
    ).toBe(0o600);
  const signed = await execSigning(
    paths,
    [
      ...["gpg", "--batch", "--armor", "--detach-sign", "--output", "-"],
      ...signers(both).flatMap(({ fingerprint }) => ["-u", fingerprint]),
    ],
    { input: "hello\n" },
  );
  expect(signed).toMatchObject({ exitCode: 0, stderr: "" });
  await expect(addSigningKey(paths, "test")).rejects.toMatchObject({
    exitCode: 2,
  });

  const left = await retireSigningKey(paths);
  expect(left.previous).toBeUndefined();
  expect(await fingerprintsIn(left.publicKey)).toEqual([both.fingerprint]);
  expect(await retiredKeys(paths.gnupg, left)).toHaveLength(1);
  await removeRetiredKeys(paths);
  await removeRetiredKeys(paths);
  expect(secrets()).toEqual([`${left.keygrip ?? ""}.key`]);
  expect(await readSigningKey(paths.gnupg)).toEqual(left);
});

test("a killed rotation is finished with the key that it had made", async () => {
  await ensureSigningKey(paths, "test");
  const made = await makeKeyIn(`${paths.gnupg}.new`, paths, "test");
  expect((await addSigningKey(paths, "test")).fingerprint).toBe(
    made.fingerprint,
  );
  // Killed after the record was written, it has nothing more to do than to clear away.
  const record = JSON.stringify(await readSigningKey(paths.gnupg));
  expect(JSON.stringify(await addSigningKey(paths, "test"))).toBe(record);
  expect(await isRotationUnfinished(paths.gnupg)).toBe(true);
  await rotationDone(paths);
  expect(await isRotationUnfinished(paths.gnupg)).toBe(false);
});

test("a key of an earlier version can be rotated, and a lost part is damage", async () => {
  const { fingerprint, publicKey } = await ensureSigningKey(paths, "test");
  const record = join(paths.gnupg, "signing-key.json");
  writeFileSync(record, JSON.stringify({ fingerprint, publicKey }));
  const both = await addSigningKey(paths, "test");
  expect(both.previous).toMatchObject({
    fingerprint,
    keygrip: expect.stringMatching(/^[0-9A-F]{40}$/) as string,
  });
  rmSync(
    join(
      paths.gnupg,
      "private-keys-v1.d",
      `${both.previous?.keygrip ?? ""}.key`,
    ),
  );
  await expect(readSigningKey(paths.gnupg)).rejects.toThrow(
    "private-keys-v1.d is missing",
  );
  writeFileSync(record, "{");
  await expect(readSigningKey(paths.gnupg)).rejects.toThrow("damaged");
});
