import { existsSync } from "node:fs";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Problem } from "../domain/error.ts";
import { messageOf, notNow, refused, refusedWith } from "../domain/error.ts";
import type { InspectedKey } from "../domain/openpgp/key.ts";
import { problemsOfKey } from "../domain/openpgp/key.ts";
import { publicKeysOf } from "../domain/openpgp/packets.ts";
import type { PackageRights } from "../domain/package-rights.ts";
import { problemsOfGlobs, rightsOf } from "../domain/package-rights.ts";
import { describeEnd, lastLines } from "../host/exec.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Keyring } from "./gpg-keyring.ts";
import {
  gpgSeconds,
  inspectKeyFile,
  inspectKeys,
  withKeyring,
} from "./gpg-keyring.ts";
import type { StoredKey } from "./uploader-store.ts";
import {
  filesOf,
  keyFileLimit,
  readStoredKeys,
  removeStoredKey,
  writeStoredKey,
} from "./uploader-store.ts";
import { advice, remedy } from "../domain/remedy.ts";

/** Somebody whose signatures admission accepts. */
export interface Uploader {
  readonly fingerprint: string;
  readonly uid: string;
  /** Globs of the source packages that the key is good for; null: all of them. */
  readonly packages: PackageRights;
}

/** An uploader as the list has it. */
export interface ListedUploader extends Uploader {
  /** Why admission refuses signatures of the key; empty when it accepts them. */
  readonly problems: readonly string[];
}

/** A key to be accepted, checked. */
export interface NewUploader extends Uploader {
  /** The packages it was accepted for before; undefined when it was not accepted. */
  readonly before: PackageRights | undefined;
  readonly bytes: Buffer;
}

/** Most keys in one file: a team's keyring. More is a whole distribution's, by mistake. */
const mostKeys = 200;

/** Most packets of one key: gpg takes quadratic time for them, at every upload. */
const mostPackets = 1000;

/**
 * The public keys in a file as they would be accepted, each judged together with what is kept of it
 * already, so that an older copy of a key takes no revocation back.
 *
 * A key that is accepted already keeps its rights unless globs are named: adding it again with a later
 * date of expiry must not widen them.
 *
 * @param globs source packages the keys are good for; undefined: all
 * @throws UbuntuCiError (2) with everything that is wrong with every key, or when there is none
 */
export async function checkUploaders(
  paths: StatePaths,
  file: string,
  globs: readonly string[] | undefined,
): Promise<NewUploader[]> {
  const wrong = problemsOfGlobs(globs ?? []).map((message) => ({
    where: "--packages",
    message,
  }));
  if (wrong.length > 0) throw refusedWith("no key was added", wrong);
  const contents = await readKeyFile(file);
  const { keys: kept } = await readStoredKeys(paths.uploaders);
  return withKeyring(paths.run, async (keyring) => {
    const { shown, merged, bytes } = await importKeys(
      keyring,
      { file, contents },
      kept,
    );
    const now = Date.now() / 1000;
    const problems: Problem[] = [];
    const added: NewUploader[] = [];
    for (const [fingerprint, given] of shown) {
      const where = `${file}: ${fingerprint} ${given.lenient.uid}`.trimEnd();
      const old = kept.find((one) => one.fingerprint === fingerprint);
      const packets = bytes.get(fingerprint);
      const key = merged.get(fingerprint);
      const found =
        key === undefined || packets === undefined
          ? [...problemsOfKey(given, now), "gpg takes no key from it"]
          : [
              ...problemsOfKey(key, now),
              ...(packets.packets > mostPackets
                ? [
                    `has ${packets.packets} user IDs, subkeys and signatures of its own, more than ${mostPackets}`,
                  ]
                : []),
              ...sharedKeys(packets.keyIds, fingerprint, kept),
            ];
      const still =
        old === undefined
          ? ""
          : advice`; it is accepted here: ${remedy("uploaders remove", [fingerprint])}`;
      for (const problem of found)
        problems.push({ where, message: advice`${problem}${still}` });
      if (key !== undefined && packets !== undefined)
        added.push({
          fingerprint,
          uid: key.lenient.uid,
          packages:
            globs === undefined ? (old?.rights ?? null) : rightsOf(globs),
          before: old?.rights,
          bytes: packets.bytes,
        });
    }
    if (problems.length > 0) throw refusedWith("no key was added", problems);
    return added;
  });
}

/** Accepts the keys that {@link checkUploaders} has found good. */
export async function addUploaders(
  paths: StatePaths,
  uploaders: readonly NewUploader[],
): Promise<void> {
  for (const { fingerprint, bytes, packages } of uploaders)
    await writeStoredKey(paths.uploaders, {
      fingerprint,
      bytes,
      rights: packages,
    });
}

/** @throws UbuntuCiError (2) when it cannot be read, is too large, or has a secret key */
async function readKeyFile(file: string): Promise<Buffer> {
  const contents = await readAtMost(file, keyFileLimit + 1).catch(
    (thrown: unknown) => {
      throw refused(
        `${file} cannot be read: ${messageOf(thrown)}`,
        "name a file with a public key",
      );
    },
  );
  if (contents.length > keyFileLimit)
    throw refused(
      `${file} is larger than ${keyFileLimit} bytes`,
      "export the keys without the signatures of others: gpg --armor --export-options export-minimal --export ADDRESS",
    );
  if (contents.includes("PRIVATE KEY BLOCK")) throw secretKey(file);
  return contents;
}

async function readAtMost(file: string, limit: number): Promise<Buffer> {
  const source = await open(file);
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of source.createReadStream({
      autoClose: false,
      end: limit - 1,
    }))
      chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } finally {
    await source.close();
  }
}

function secretKey(file: string): Error {
  return refused(
    `${file} has a secret key in it`,
    "export the public key alone: gpg --armor --export ADDRESS",
  );
}

/** The keys of a file as it shows them, and as they are together with what is kept of them. */
async function importKeys(
  keyring: Keyring,
  given: { readonly file: string; readonly contents: Buffer },
  kept: readonly StoredKey[],
) {
  const { file, contents } = given;
  // A copy, so that the key that is checked is the one that is stored.
  await writeFile(join(keyring.home, "given"), contents);
  const { keys: shown, shown: result } = await inspectKeyFile(keyring, "given");
  if (/^s(?:ec|sb):/m.test(result.stdout)) throw secretKey(file);
  if (result.timedOut) throw takesTooLong(file);
  if (result.exitCode !== 0 || shown.size === 0)
    throw refused(
      `${file} has no OpenPGP public key: ${lastLines(result.stderr, 1)}`,
      "export one with gpg --armor --export ADDRESS",
    );
  if (shown.size > mostKeys)
    throw refused(
      `${file} has ${shown.size} keys, more than ${mostKeys}`,
      "name a file with the uploaders' keys alone",
    );
  const before = kept.filter(({ fingerprint }) => shown.has(fingerprint));
  for (const { fingerprint, bytes } of before) {
    await writeFile(join(keyring.home, `${fingerprint}.kept`), bytes);
    await takeKeys(keyring, `${fingerprint}.kept`, file);
  }
  await takeKeys(keyring, "given", file);
  await takeOut(keyring);
  const taken = await readFile(join(keyring.home, "merged"));
  return {
    shown,
    merged: (await inspectKeyFile(keyring, "merged")).keys,
    bytes: new Map(publicKeysOf(taken).map((key) => [key.fingerprint, key])),
  };
}

/** Imports the keys without signatures of other people, which mean nothing here. */
async function takeKeys(
  keyring: Keyring,
  name: string,
  file: string,
): Promise<void> {
  const result = await keyring.run(
    ...["--allow-weak-digest-algos", "--import-options", "self-sigs-only"],
    ...["--import", "--", `./${name}`],
  );
  if (result.timedOut) throw takesTooLong(file);
}

function takesTooLong(file: string): Error {
  return refused(
    `gpg takes longer than ${gpgSeconds} seconds for ${file}`,
    "name a file with fewer keys, user IDs and signatures (gpg --export-options export-minimal)",
  );
}

async function takeOut(keyring: Keyring): Promise<void> {
  const result = await keyring.run("--output", "./merged", "--export");
  // gpg writes no file when there is nothing to write.
  if (!existsSync(join(keyring.home, "merged")))
    await writeFile(join(keyring.home, "merged"), "");
  if (result.exitCode !== 0)
    throw notNow(
      `gpg ${describeEnd(result)}: ${lastLines(result.stderr || result.stdout)}`,
    );
}

/** Reports subkeys that another uploader has, too: it would be unclear who signed. */
function sharedKeys(
  keyIds: readonly string[],
  fingerprint: string,
  kept: readonly StoredKey[],
): string[] {
  return kept
    .filter((other) => other.fingerprint !== fingerprint)
    .flatMap((other) =>
      keyIds
        .filter((id) => other.keyIds.includes(id))
        .map(
          (id) =>
            `has the key ${id}, which the uploader ${other.fingerprint} has, too`,
        ),
    );
}

/** The uploaders' keys, by fingerprint, and files among them that are of no use. */
export async function listUploaders(paths: StatePaths): Promise<{
  readonly uploaders: readonly ListedUploader[];
  readonly unused: readonly Problem[];
}> {
  const { keys, broken } = await readStoredKeys(paths.uploaders);
  const inspected = await inspectKeys(paths.run, keys);
  const now = Date.now() / 1000;
  return {
    uploaders: keys.map((key) =>
      listed(key, inspected.get(key.fingerprint), now),
    ),
    unused: broken.map(({ name, why }) => ({
      where: join(paths.uploaders, name),
      message: why,
    })),
  };
}

function listed(
  { fingerprint, rights }: StoredKey,
  inspected: InspectedKey | undefined,
  now: number,
): ListedUploader {
  return {
    fingerprint,
    uid: inspected?.lenient.uid ?? "",
    packages: rights,
    problems:
      inspected === undefined
        ? ["gpg makes nothing of it, or takes too long over it"]
        : problemsOfKey(inspected, now),
  };
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
  if (!/^(?:[0-9A-F]{40}|[0-9A-F]{64})$/.test(wanted))
    throw refused(
      `${JSON.stringify(fingerprint)} is not a fingerprint`,
      advice`${remedy("uploaders list")} shows them`,
    );
  if (!filesOf(paths.uploaders, wanted).some((file) => existsSync(file)))
    throw unknownKey(wanted);
  return wanted;
}

/** @throws UbuntuCiError (2) when that key is not accepted any more */
export async function removeUploader(
  paths: StatePaths,
  fingerprint: string,
): Promise<void> {
  if (!(await removeStoredKey(paths.uploaders, fingerprint)))
    throw unknownKey(fingerprint);
}

function unknownKey(fingerprint: string): Error {
  return refused(
    `no uploader has the key ${fingerprint}`,
    advice`${remedy("uploaders list")} shows them`,
  );
}
