import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { Damage, notNow, refused } from "../../domain/error.ts";
import { copyDurably, writeFileAtomic } from "../../files/atomic-file.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { namesIn } from "../../files/names-in.ts";
import { isThere } from "../../files/optional-file.ts";
import { now } from "../../host/clock.ts";
import { execOk } from "../../host/exec.ts";
import { withGnupgHome } from "../../host/gnupg-home.ts";
import { exclusively, lockFile } from "../../locks/exclusively.ts";
import { advice, remedy } from "../../domain/remedy.ts";
import type { KeyPaths, SigningKey } from "./signing-key.ts";
import {
  keyFile,
  makeKeyIn,
  publicKeys,
  readKey,
  readSigningKey,
  secretKeys,
  signers,
} from "./signing-key.ts";

/**
 * Makes a second key, which signs beside the present one from the moment that its record is written. A
 * killed run is finished by the next one, with the same new key, until {@link rotationDone}.
 *
 * @param name user ID of the new key
 * @throws UbuntuCiError (2) while there are two keys already
 */
export async function addSigningKey(
  paths: KeyPaths,
  name: string,
): Promise<SigningKey> {
  return exclusively(lockFile(paths, "signing-key"), async () => {
    const { gnupg } = paths;
    const made = `${gnupg}.new`;
    const key = await readSigningKey(gnupg);
    const unfinished = await readKey(made).catch((thrown: unknown) => {
      // Half made by a killed process: it is made again. What cannot be read just now is something else.
      if (thrown instanceof Damage) return undefined;
      throw thrown;
    });
    if (unfinished?.fingerprint === key.fingerprint) return key;
    if (key.previous !== undefined)
      throw refused(
        `two keys sign already: ${key.fingerprint} came beside ${key.previous.fingerprint} at ${key.rotated_at ?? ""}`,
        advice`${remedy("archive rotate-key", [], { finish: true })} retires the older one`,
      );
    const added = unfinished ?? (await makeKeyIn(made, paths, name));
    crashPoint("key.made");
    for (const file of await readdir(join(made, secretKeys)))
      await copyDurably(
        join(made, secretKeys, file),
        join(gnupg, secretKeys, file),
      );
    const both = await keyring(paths, [added.publicKey, key.publicKey]);
    await writeFileAtomic(join(gnupg, publicKeys), both.ring);
    crashPoint("key.merged");
    const { fingerprint } = key;
    const keygrip = both.keygrips.get(fingerprint);
    if (keygrip === undefined)
      throw notNow(`gpg does not list the key ${fingerprint}`);
    const rotated: SigningKey = {
      ...added,
      publicKey: both.armour,
      previous: { fingerprint, keygrip },
      rotated_at: now(),
    };
    await writeFileAtomic(join(gnupg, keyFile), JSON.stringify(rotated));
    crashPoint("key.rotated");
    return rotated;
  });
}

/** Clears away what {@link addSigningKey} goes on with, once everything is signed by both keys. */
export async function rotationDone({ gnupg }: KeyPaths): Promise<void> {
  await rm(`${gnupg}.new`, { recursive: true, force: true });
}

/** Whether a killed run has left a rotation for the next one to finish. */
export async function isRotationUnfinished(gnupg: string): Promise<boolean> {
  return (
    isThere(`${gnupg}.new`) ||
    (await retiredKeys(gnupg, await readSigningKey(gnupg))).length > 0
  );
}

/**
 * Makes the older of two keys sign no more. Its private key stays until {@link removeRetiredKeys}, as what
 * it alone has signed has to be signed anew first.
 */
export async function retireSigningKey(paths: KeyPaths): Promise<SigningKey> {
  return exclusively(lockFile(paths, "signing-key"), async () => {
    const { gnupg } = paths;
    const key = await readSigningKey(gnupg);
    if (key.previous === undefined) return key;
    const { fingerprint, keygrip } = key;
    const { armour } = await keyring(paths, [key.publicKey], [fingerprint]);
    const left: SigningKey = {
      fingerprint,
      ...(keygrip !== undefined && { keygrip }),
      publicKey: armour,
    };
    await writeFileAtomic(join(gnupg, keyFile), JSON.stringify(left));
    crashPoint("key.retired");
    return left;
  });
}

/** Removes the private and public keys that sign no more. */
export async function removeRetiredKeys(paths: KeyPaths): Promise<void> {
  return exclusively(lockFile(paths, "signing-key"), async () => {
    const { gnupg } = paths;
    const key = await readSigningKey(gnupg);
    const retired = await retiredKeys(gnupg, key);
    if (retired.length === 0) return;
    const { ring } = await keyring(paths, [key.publicKey]);
    await writeFileAtomic(join(gnupg, publicKeys), ring);
    for (const name of retired) await rm(join(gnupg, secretKeys, name));
  });
}

/** Files of private keys that sign no more; none are known beside a key of an earlier version. */
export async function retiredKeys(
  gnupg: string,
  key: SigningKey,
): Promise<string[]> {
  const grips = signers(key).map(({ keygrip }) => keygrip);
  if (grips.includes(undefined)) return [];
  return (await namesIn(join(gnupg, secretKeys))).filter(
    (name) => name.endsWith(".key") && !grips.includes(name.slice(0, -4)),
  );
}

/** A keyring of these keys, and their armour as one block. */
async function keyring(
  { run }: KeyPaths,
  armours: readonly string[],
  exported: readonly string[] = [],
): Promise<{
  readonly ring: Buffer;
  readonly armour: string;
  readonly keygrips: ReadonlyMap<string, string>;
}> {
  const work = async (home: string) => {
    const gpg = ["gpg", "--batch", "--no-tty", "--no-autostart"];
    const env = { GNUPGHOME: home };
    for (const input of armours)
      await execOk([...gpg, "--import"], { env, input });
    const armour = await execOk([...gpg, "--armor", "--export", ...exported], {
      env,
    });
    const listed = await execOk(
      [...gpg, "--with-colons", "--with-keygrip", "--list-keys"],
      { env },
    );
    const keys = listed.matchAll(
      /^fpr:+([0-9A-F]{40}):\ngrp:+([0-9A-F]{40}):/gm,
    );
    return {
      ring: await readFile(join(home, publicKeys)),
      armour,
      keygrips: new Map(
        [...keys].map(([, fingerprint = "", grip = ""]) => [fingerprint, grip]),
      ),
    };
  };
  return withGnupgHome({}, work, run);
}
