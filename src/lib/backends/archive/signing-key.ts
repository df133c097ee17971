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

/** The key that signs an installation's archives; publicKey is ASCII-armoured. */
interface SigningKey {
  readonly fingerprint: string;
  readonly publicKey: string;
}

const keyFile = "signing-key.json";
const secretKeys = "private-keys-v1.d";
const publicKeys = "pubring.kbx";

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

async function makeKey(
  { gnupg, run }: KeyPaths,
  name: string,
): Promise<SigningKey> {
  const made = `${gnupg}.new`;
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
      const list = ["gpg", "--batch", "--with-colons", "--list-keys"];
      const listed = await execOk(list, { env });
      const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1];
      if (fingerprint === undefined) throw notNow(`gpg made no key: ${listed}`);
      const show = ["gpg", "--batch", "--armor", "--export"];
      const publicKey = await execOk(show, { env });
      // gpg replaces this file on writing, which would break a link to its final place.
      const ring = await readFile(join(home, publicKeys));
      await writeFileAtomic(join(made, publicKeys), ring, 0o600);
      return { fingerprint, publicKey };
    },
    run,
  );
  await writeFileAtomic(join(made, keyFile), JSON.stringify(key), 0o600);
  for (const file of await readdir(join(made, secretKeys)))
    await syncPath(join(made, secretKeys, file));
  await syncPath(join(made, secretKeys));
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

async function readKey(gnupg: string): Promise<SigningKey | undefined> {
  const text = await ifExists(readFile(join(gnupg, keyFile), "utf8"));
  if (text === undefined) return undefined;
  const secret = (await namesIn(join(gnupg, secretKeys))).some((name) =>
    name.endsWith(".key"),
  );
  if (!secret || !isThere(join(gnupg, publicKeys)))
    throw new Damage(
      `the signing key is damaged: ${join(gnupg, secret ? publicKeys : secretKeys)} is missing`,
      bringBack,
    );
  try {
    return JSON.parse(text) as SigningKey;
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new Damage(
      `the signing key is damaged: ${join(gnupg, keyFile)} is not what was written`,
      bringBack,
      thrown,
    );
  }
}
