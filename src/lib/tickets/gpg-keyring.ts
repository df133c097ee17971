import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { InspectedKey, ListedKey } from "../domain/openpgp/key.ts";
import { keysListed } from "../domain/openpgp/key.ts";
import type { ExecResult } from "../host/exec.ts";
import { exec } from "../host/exec.ts";
import { withGnupgHome } from "../host/gnupg-home.ts";

/** Options by which gpg and gpgv refuse signatures and self-signatures with weak digests; MD5 is always refused. */
export const refuseWeakDigests = [
  ...["--weak-digest", "SHA1"],
  ...["--weak-digest", "RIPEMD160"],
] as const;

/** Seconds that gpg may take: some keys it works on for minutes, because of thousands of user IDs. */
export const gpgSeconds = 30;

/** A throw-away keyring of gpg's: no configuration of a user or a machine changes what it says. */
export interface Keyring {
  /** Folder of its own; gpg is run in it, so that no name of a folder above it matters. */
  readonly home: string;
  run(...args: readonly string[]): Promise<ExecResult>;
}

/** @param privateFolder where its home is made: of this user alone */
export async function withKeyring<T>(
  privateFolder: string,
  use: (keyring: Keyring) => Promise<T>,
): Promise<T> {
  const work = async (home: string) => {
    const gpg = ["gpg", "--no-options", "--homedir", home, "--batch"];
    const plain = ["--no-tty", "--no-autostart", "--with-colons"];
    return use({
      home,
      run: (...args) =>
        exec([...gpg, ...plain, ...args], {
          cwd: home,
          timeoutMs: gpgSeconds * 1000,
          maxBuffer: 64 * 1024 * 1024,
        }),
    });
  };
  return withGnupgHome({}, work, privateFolder);
}

/** What gpg says of the keys in a file of the keyring's folder, by their fingerprints. */
export async function inspectKeyFile(
  keyring: Keyring,
  name: string,
): Promise<{
  readonly keys: ReadonlyMap<string, InspectedKey>;
  /** How it ended where weak digests are allowed. */
  readonly shown: ExecResult;
}> {
  // Each gpg has a trust database of its own: two that create the same one at once sometimes find it
  // half written ("The trustdb is corrupted"), and list no key.
  const show = (trust: string, ...options: readonly string[]) =>
    keyring.run(
      ...["--trustdb-name", trust, ...options],
      ...["--show-keys", "--", `./${name}`],
    );
  const [strict, lenient] = await Promise.all([
    show("strict.gpg", ...refuseWeakDigests),
    show("lenient.gpg", "--allow-weak-digest-algos"),
  ]);
  const judged = byFingerprint(keysListed(strict.stdout));
  const keys = new Map<string, InspectedKey>();
  for (const key of keysListed(lenient.stdout)) {
    const other = judged.get(key.fingerprint);
    if (other !== undefined)
      keys.set(key.fingerprint, { strict: other, lenient: key });
  }
  return { keys, shown: lenient };
}

/** What gpg says of these keys; keys that it cannot read are left out. */
export async function inspectKeys(
  privateFolder: string,
  keys: readonly { readonly fingerprint: string; readonly bytes: Buffer }[],
): Promise<ReadonlyMap<string, InspectedKey>> {
  if (keys.length === 0) return new Map();
  return withKeyring(privateFolder, async (keyring) => {
    const look = async (some: typeof keys, name: string) => {
      const bytes = Buffer.concat(some.map((key) => key.bytes));
      await writeFile(join(keyring.home, name), bytes);
      return (await inspectKeyFile(keyring, name)).keys;
    };
    const found = new Map(await look(keys, "keys.gpg"));
    // A key that gpg cannot read hides those after it, so these are read one by one.
    const rest = keys.filter(({ fingerprint }) => !found.has(fingerprint));
    for (const [index, key] of (keys.length > 1 ? rest : []).entries())
      for (const [fingerprint, one] of await look([key], `key-${index}.gpg`))
        found.set(fingerprint, one);
    return found;
  });
}

function byFingerprint(keys: readonly ListedKey[]): Map<string, ListedKey> {
  return new Map(keys.map((key) => [key.fingerprint, key]));
}
