import { lstatSync, readFileSync } from "node:fs";
import { lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { messageOf } from "../domain/error.ts";
import type { KeyPackets } from "../domain/openpgp/packets.ts";
import { publicKeysOf } from "../domain/openpgp/packets.ts";
import type { PackageRights } from "../domain/package-rights.ts";
import { problemsOfGlobs } from "../domain/package-rights.ts";
import { writeFileAtomic } from "../files/atomic-file.ts";
import { ifExists, ifExistsSync } from "../files/optional-file.ts";

/** An uploader's key as it is kept, and what it is good for. */
export interface StoredKey extends KeyPackets {
  readonly rights: PackageRights;
}

/** A file among the uploaders' keys that is no valid key file; it is ignored. */
export interface BrokenKey {
  /** Name of the file. */
  readonly name: string;
  readonly why: string;
}

export interface StoredKeys {
  readonly keys: readonly StoredKey[];
  readonly broken: readonly BrokenKey[];
}

/**
 * A key for all packages is stored as FINGERPRINT.gpg. A key with limits is FINGERPRINT.json, with key
 * and limits in one file, so that neither can be lost alone, and older versions of this program do not
 * read it as a key without limits.
 */
const fileName = /^(?<fingerprint>[0-9A-F]{40}|[0-9A-F]{64})\.(?:gpg|json)$/;

/** The limit of a file of keys, in bytes; signatures of others, the bulk of most, are not kept. */
export const keyFileLimit = 4 * 1024 * 1024;

/** A key file with limits; the key is in base64. */
interface LimitedKey {
  readonly format: 1;
  readonly packages: readonly string[];
  readonly key: string;
}

/** The uploaders' keys, in the order of their fingerprints. */
export async function readStoredKeys(folder: string): Promise<StoredKeys> {
  const names = ((await ifExists(readdir(folder))) ?? []).sort();
  // Read synchronously: a thousand files open at once are too many for a process.
  const found = names
    // Names that begin with a dot are temporary files.
    .filter((name) => !name.startsWith("."))
    .map((name) => readStored(folder, name))
    .filter((one) => one !== undefined);
  const broken = found.filter((one) => "why" in one);
  const limited = new Set(
    names.filter((name) => name.endsWith(".json")).map(withoutSuffix),
  );
  // If both files exist, a change from one to the other was interrupted: the limits count.
  const keys = found
    .filter((one) => "key" in one)
    .filter(
      ({ name, key }) =>
        name.endsWith(".json") || !limited.has(key.fingerprint),
    )
    .map(({ key }) => key);
  return { keys, broken };
}

/** One file of the folder; undefined when it was removed meanwhile. */
function readStored(
  folder: string,
  name: string,
): { name: string; key: StoredKey } | BrokenKey | undefined {
  const fingerprint = fileName.exec(name)?.groups?.["fingerprint"];
  if (fingerprint === undefined)
    return { name, why: "is not called FINGERPRINT.gpg or .json" };
  try {
    const contents = ifExistsSync(() => readKeyFile(join(folder, name)));
    if (contents === undefined) return undefined;
    const { bytes, rights } = contentsOf(name, contents);
    const [key, another] = publicKeysOf(bytes);
    if (another !== undefined) throw new RangeError("it has more than one key");
    if (key?.fingerprint !== fingerprint)
      throw new RangeError("it does not have the key of its name");
    return { name, key: { ...key, rights } };
  } catch (thrown) {
    return { name, why: `cannot be used: ${messageOf(thrown)}` };
  }
}

function readKeyFile(path: string): Buffer {
  const status = lstatSync(path);
  if (!status.isFile()) throw new RangeError("it is not a regular file");
  if (status.size > 2 * keyFileLimit) throw new RangeError("it is too large");
  return readFileSync(path);
}

function contentsOf(
  name: string,
  contents: Buffer,
): { readonly bytes: Buffer; readonly rights: PackageRights } {
  if (name.endsWith(".gpg")) return { bytes: contents, rights: null };
  const { format, packages, key } = JSON.parse(
    contents.toString("utf8"),
  ) as Partial<LimitedKey>;
  if (
    format !== 1 ||
    typeof key !== "string" ||
    !Array.isArray(packages) ||
    !packages.every((glob) => typeof glob === "string") ||
    problemsOfGlobs(packages).length > 0
  )
    throw new RangeError("it is not what this program writes");
  return { bytes: Buffer.from(key, "base64"), rights: packages };
}

/** Stores a key in place of the stored one. If the process is killed meanwhile, the lesser rights count. */
export async function writeStoredKey(
  folder: string,
  {
    fingerprint,
    bytes,
    rights,
  }: Pick<StoredKey, "fingerprint" | "bytes" | "rights">,
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const [open, limited] = filesOf(folder, fingerprint);
  if (rights === null) {
    await writeFileAtomic(open, bytes, 0o600);
    await rm(limited, { force: true });
  } else {
    const contents: LimitedKey = {
      format: 1,
      packages: rights,
      key: bytes.toString("base64"),
    };
    await writeFileAtomic(limited, `${JSON.stringify(contents)}\n`, 0o600);
    await rm(open, { force: true });
  }
}

/** Removes a key; returns whether it was there. */
export async function removeStoredKey(
  folder: string,
  fingerprint: string,
): Promise<boolean> {
  let there = false;
  for (const file of filesOf(folder, fingerprint)) {
    there ||= (await ifExists(lstat(file))) !== undefined;
    await rm(file, { force: true });
  }
  return there;
}

/** Where a key may be: without limits, with them. */
export function filesOf(
  folder: string,
  fingerprint: string,
): readonly [open: string, limited: string] {
  return [
    join(folder, `${fingerprint}.gpg`),
    join(folder, `${fingerprint}.json`),
  ];
}

function withoutSuffix(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
}
