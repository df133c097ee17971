import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { refused } from "../domain/error.ts";
import { writeFileAtomic } from "../host/atomic-file.ts";
import { exec, execOk, lastLines } from "../host/exec.ts";
import { withGnupgHome } from "../host/gnupg-home.ts";
import { ifThere } from "../host/if-there.ts";
import type { StatePaths } from "../host/paths.ts";

/** Somebody whose signatures admission accepts. */
export interface Uploader {
  readonly fingerprint: string;
  readonly uid: string;
}

/**
 * The public keys in a file.
 *
 * @throws UbuntuCiError (2) when the file has no public key, or a secret one
 */
export async function keysOfFile(file: string): Promise<Uploader[]> {
  return withKeyring((gpg) => keysShown(gpg, file));
}

/**
 * Accepts the public keys in a file: each becomes uploaders/FINGERPRINT.gpg.
 *
 * @throws UbuntuCiError (2) when the file has no public key, or a secret one
 */
export async function addUploader(
  paths: StatePaths,
  file: string,
): Promise<Uploader[]> {
  return withKeyring(async (gpg, home) => {
    const keys = await keysShown(gpg, file);
    await execOk([...gpg, "--import", file]);
    await mkdir(paths.uploaders, { recursive: true });
    for (const { fingerprint } of keys) {
      const one = join(home, `${fingerprint}.out`);
      await execOk([...gpg, "--output", one, "--export", fingerprint]);
      await writeFileAtomic(
        join(paths.uploaders, `${fingerprint}.gpg`),
        await readFile(one),
      );
    }
    return keys;
  });
}

/** A throw-away keyring of gpg's, and the command that works on it. */
async function withKeyring<T>(
  use: (gpg: readonly string[], home: string) => Promise<T>,
): Promise<T> {
  return withGnupgHome({}, async (home) => {
    const gpg = ["gpg", "--homedir", home, "--batch", "--no-autostart"];
    return use([...gpg, "--with-colons"], home);
  });
}

async function keysShown(
  gpg: readonly string[],
  file: string,
): Promise<Uploader[]> {
  const text = await readFile(file).catch((thrown: unknown) => {
    throw refused(
      `${file} cannot be read: ${(thrown as Error).message}`,
      "name a file with a public key",
    );
  });
  if (text.includes("PRIVATE KEY BLOCK"))
    throw refused(
      `${file} has a secret key in it`,
      "export the public key alone: gpg --armor --export",
    );
  const shown = await exec([...gpg, "--show-keys", file]);
  const keys = keysIn(shown.stdout);
  if (shown.exitCode !== 0 || keys.length === 0) {
    throw refused(
      `${file} has no OpenPGP public key: ${lastLines(shown.stderr, 1)}`,
      "export one with gpg --armor --export ADDRESS",
    );
  }
  if (/^sec:/m.test(shown.stdout))
    throw refused(
      `${file} has a secret key in it`,
      "export the public key alone: gpg --export",
    );
  return keys;
}

/** The uploaders' keys, by fingerprint. */
export async function listUploaders(paths: StatePaths): Promise<Uploader[]> {
  const files = ((await ifThere(readdir(paths.uploaders))) ?? [])
    .filter((name) => name.endsWith(".gpg"))
    .sort();
  return withKeyring(async (gpg) => {
    const listed = await Promise.all(
      files.map(async (name) =>
        keysIn(
          await execOk([...gpg, "--show-keys", join(paths.uploaders, name)]),
        ),
      ),
    );
    return listed.flat();
  });
}

/**
 * The fingerprint of a key that is accepted, as its file is named.
 *
 * @throws UbuntuCiError (2) when no such key is accepted
 */
export function knownFingerprint(
  paths: StatePaths,
  fingerprint: string,
): string {
  const wanted = fingerprint.replaceAll(/\s/g, "").toUpperCase();
  if (!/^[0-9A-F]{40,64}$/.test(wanted))
    throw refused(
      `${JSON.stringify(fingerprint)} is not a fingerprint`,
      "`ubuntu-ci uploaders list` shows them",
    );
  if (!existsSync(keyFile(paths, wanted))) throw unknownKey(wanted);
  return wanted;
}

/** @throws UbuntuCiError (2) when that key is not accepted any more */
export async function removeUploader(
  paths: StatePaths,
  fingerprint: string,
): Promise<void> {
  try {
    await rm(keyFile(paths, fingerprint));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown;
    throw unknownKey(fingerprint);
  }
}

function keyFile(paths: StatePaths, fingerprint: string): string {
  return join(paths.uploaders, `${fingerprint}.gpg`);
}

function unknownKey(fingerprint: string): Error {
  return refused(
    `no uploader has the key ${fingerprint}`,
    "`ubuntu-ci uploaders list` shows them",
  );
}

/** Primary keys of gpg's colon listing (doc/DETAILS of GnuPG): the first fpr and uid after each pub. */
function keysIn(colons: string): Uploader[] {
  const keys: { fingerprint: string; uid: string }[] = [];
  let primary = false;
  for (const line of colons.split("\n")) {
    const fields = line.split(":");
    const last = keys.at(-1);
    if (fields[0] === "pub") {
      keys.push({ fingerprint: "", uid: "" });
      primary = true;
    } else if (fields[0] === "sub") primary = false;
    else if (fields[0] === "fpr" && primary && last?.fingerprint === "")
      last.fingerprint = fields[9] ?? "";
    else if (fields[0] === "uid" && last?.uid === "")
      last.uid = fields[9] ?? "";
  }
  return keys.filter(({ fingerprint }) => fingerprint !== "");
}
