import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import {
  bringBack,
  Damage,
  misconfigured,
  notNow,
} from "../../domain/error.ts";
import { syncPath, writeFileAtomic } from "../../files/atomic-file.ts";
import { exclusively, lockFile } from "../../locks/exclusively.ts";
import type { ExecOptions, ExecResult } from "../../host/exec.ts";
import { exec, execOk } from "../../host/exec.ts";
import { withGnupgHome } from "../../host/gnupg-home.ts";
import { namesIn } from "../../files/names-in.ts";
import { hasCode, ifExists, isThere } from "../../files/optional-file.ts";
import type { StatePaths } from "../../host/paths.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** Where the signing key is kept, and where temporary GnuPG homes are made. */
export type KeyPaths = Pick<StatePaths, "gnupg" | "run" | "locks">;

/** A key that signs; keys of earlier versions have no keygrip, by which gpg names a private key's file. */
interface Signer {
  readonly fingerprint: string;
  readonly keygrip?: string;
}

/** The key that signs an installation's archives. */
export interface SigningKey extends Signer {
  /** ASCII armour of every key that signs, as one block: apt reads no second one. */
  readonly publicKey: string;
  /** The key before it, which signs as well until it is retired. */
  readonly previous?: Signer;
  /** When it came beside the previous one, ISO 8601 UTC. */
  readonly rotated_at?: string;
}

/** The keys that sign, the newest first. */
export function signers(key: SigningKey): Signer[] {
  return [key, ...(key.previous === undefined ? [] : [key.previous])];
}

export const keyFile = "signing-key.json";
export const secretKeys = "private-keys-v1.d";
export const publicKeys = "pubring.kbx";

/**
 * Makes the installation's OpenPGP key unless it exists: ed25519, signing only, no passphrase, no
 * expiry. It appears whole or not at all.
 *
 * @param paths the GnuPG home is readable only by this user
 * @param name user ID of the key
 * @throws UbuntuCiError (78) when the folder holds something else
 */
export async function ensureSigningKey(
  paths: KeyPaths,
  name: string,
): Promise<SigningKey> {
  const { gnupg } = paths;
  return (
    (await readKey(gnupg)) ??
    exclusively(
      lockFile(paths, "signing-key"),
      async () => (await readKey(gnupg)) ?? makeKey(paths, name),
    )
  );
}

async function makeKey(paths: KeyPaths, name: string): Promise<SigningKey> {
  const { gnupg } = paths;
  const made = `${gnupg}.new`;
  const key = await makeKeyIn(made, paths, name);
  try {
    await rename(made, gnupg);
  } catch (thrown) {
    await rm(made, { recursive: true });
    if (!hasCode(thrown, "ENOTEMPTY") && !hasCode(thrown, "EEXIST"))
      throw thrown;
    throw misconfigured(
      `${gnupg} holds something else than the signing key`,
      advice`move it away, and run ${remedy("init")} again`,
      thrown,
    );
  }
  await syncPath(dirname(gnupg));
  return key;
}

/** Makes a key in a folder of its own, with its record last. The caller holds the key's lock. */
export async function makeKeyIn(
  made: string,
  { run }: KeyPaths,
  name: string,
): Promise<SigningKey> {
  // Left over from a killed run.
  await rm(made, { recursive: true, force: true });
  await mkdir(join(made, secretKeys), { recursive: true, mode: 0o700 });
  const links = { [secretKeys]: join(made, secretKeys) };
  const key = await withGnupgHome(
    links,
    async (home) => {
      const env = { GNUPGHOME: home };
      const generate = [
        ...["gpg", "--batch", "--no-tty", "--passphrase", ""],
        ...["--quick-generate-key", name, "ed25519", "sign", "never"],
      ];
      await execOk(withItsAgent(generate), { env });
      const list = ["gpg", "--batch", "--with-colons", "--with-keygrip"];
      const listed = await execOk([...list, "--list-keys"], { env });
      const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1];
      const keygrip = /^grp:+([0-9A-F]{40}):/m.exec(listed)?.[1];
      if (fingerprint === undefined || keygrip === undefined)
        throw notNow(`gpg made no key: ${listed}`);
      const show = ["gpg", "--batch", "--armor", "--export"];
      const publicKey = await execOk(show, { env });
      // gpg replaces this file on writing, which would break a link to its final place.
      const ring = await readFile(join(home, publicKeys));
      await writeFileAtomic(join(made, publicKeys), ring, 0o600);
      return { fingerprint, keygrip, publicKey };
    },
    run,
  );
  for (const file of await readdir(join(made, secretKeys)))
    await syncPath(join(made, secretKeys, file));
  await syncPath(join(made, secretKeys));
  await writeFileAtomic(join(made, keyFile), JSON.stringify(key), 0o600);
  return key;
}

/**
 * Reads the installation's key without starting gpg.
 *
 * @throws Damage when it or a part of it is missing
 */
export async function readSigningKey(gnupg: string): Promise<SigningKey> {
  const key = await readKey(gnupg);
  if (key !== undefined) return key;
  throw new Damage(
    `the signing key is missing: ${gnupg} holds none`,
    advice`${bringBack}; clients know no other. Only where nothing was ever published does ${remedy("init")} make one`,
  );
}

/**
 * Runs a program that calls gpg to sign with the installation's key (GNUPGHOME is set). Each run has a
 * gpg-agent of its own, which ends with the program, killed or not. The program is killed when this
 * process dies.
 */
export async function execSigning(
  { gnupg, run }: KeyPaths,
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  return withGnupgHome(
    {
      [secretKeys]: join(gnupg, secretKeys),
      [publicKeys]: join(gnupg, publicKeys),
    },
    (home) =>
      exec(withItsAgent(argv), {
        ...options,
        env: { ...options.env, GNUPGHOME: home },
      }),
    run,
  );
}

/** Wraps a command in its own gpg-agent (gpg-agent(1), --daemon COMMAND). */
function withItsAgent(argv: readonly string[]): string[] {
  return [
    ...["setpriv", "--pdeathsig", "KILL", "--"],
    ...["gpg-agent", "--quiet", "--daemon", "--", ...argv],
  ];
}

/** Reads the record in a folder, and looks whether what it names is there; undefined without a record. */
export async function readKey(gnupg: string): Promise<SigningKey | undefined> {
  const text = await ifExists(readFile(join(gnupg, keyFile), "utf8"));
  if (text === undefined) return undefined;
  const key = parsed(text);
  if (key === undefined)
    throw new Damage(
      `the signing key is damaged: ${join(gnupg, keyFile)} is not what was written`,
      bringBack,
    );
  const secret = await namesIn(join(gnupg, secretKeys));
  const missing = [
    ...signers(key).flatMap(({ keygrip }) =>
      secret.some((name) =>
        keygrip === undefined
          ? name.endsWith(".key")
          : name === `${keygrip}.key`,
      )
        ? []
        : [secretKeys],
    ),
    ...(isThere(join(gnupg, publicKeys)) ? [] : [publicKeys]),
  ];
  if (missing[0] === undefined) return key;
  throw new Damage(
    `the signing key is damaged: ${join(gnupg, missing[0])} is missing`,
    bringBack,
  );
}

function parsed(text: string): SigningKey | undefined {
  try {
    const found = JSON.parse(text) as Partial<SigningKey> | null;
    return typeof found?.fingerprint === "string"
      ? (found as SigningKey)
      : undefined;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}
