import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Stanza } from "../../debian/deb822.ts";
import { clearSigned, parseDeb822 } from "../../debian/deb822.ts";
import {
  messageOf,
  troubleOfMachine,
  UbuntuCiError,
} from "../../domain/error.ts";
import { digestFile } from "../../files/atomic-file.ts";
import { hasCode, ifExists } from "../../files/optional-file.ts";
import { exec, findTool, lastLines } from "../../host/exec.ts";
import { withGnupgHome } from "../../host/gnupg-home.ts";
import { indexFilesOf } from "./index-files.ts";
import { momentIn } from "./release.ts";
import type { KeyPaths } from "./signing-key.ts";
import { publicKeys, readSigningKey, signers } from "./signing-key.ts";

/** How far a Release file's date may be ahead of a client's clock, in milliseconds (apt, Acquire::Max-FutureTime). */
const maxFutureMs = 10_000;

/** The Release file that clients of a series read, and their two ways to it. */
interface SignedRelease {
  readonly file: string;
  readonly text: string;
  readonly stanza: Stanza | undefined;
}

/** Reads dists/SERIES/InRelease by the path that clients take; the stanza is undefined when it is none. */
export async function readRelease(
  root: string,
  series: string,
): Promise<SignedRelease> {
  const file = join(root, "dists", series, "InRelease");
  const text = clearSigned(await readFile(file, "utf8"))?.text ?? "";
  const [stanza] = text === "" ? [] : parseDeb822(text);
  return { file, text, stanza };
}

/**
 * Why a client could not use a series of a public tree, or undefined: both forms of its Release file are
 * verified by gpgv, and by sqv where that is installed, and the indexes that it names are read. Nothing
 * of the tree is changed.
 */
export async function releaseFault(
  root: string,
  series: string,
  keys: KeyPaths,
): Promise<string | undefined> {
  const folder = join(root, "dists", series);
  try {
    const { file, text, stanza } = await readRelease(root, series);
    if (stanza?.get("Codename") !== series)
      return `${file} is no signed Release file of ${series}`;
    if ((await readFile(join(folder, "Release"), "utf8")) !== text)
      return `${join(folder, "Release")} is not what ${file} says`;
    const date = momentIn(stanza, "Date");
    if (date === null || date > Date.now() + maxFutureMs)
      return `${file} is dated ${stanza.get("Date") ?? "nowhere"}, and a client refuses a date in the future`;
    return (
      (await signatureFault(folder, stanza, keys)) ??
      (await indexFault(folder, text))
    );
  } catch (thrown) {
    const path = join(folder, "InRelease");
    if (hasCode(thrown, "ENOENT"))
      return `${(thrown as NodeJS.ErrnoException).path ?? path} is missing`;
    const trouble = troubleOfMachine(thrown) ?? thrown;
    if (trouble instanceof UbuntuCiError)
      return `${path} cannot be read: ${messageOf(trouble)}`;
    throw thrown;
  }
}

async function indexFault(
  folder: string,
  release: string,
): Promise<string | undefined> {
  const listed = indexFilesOf(release);
  for (const { path, size, algorithm, hash } of listed) {
    if (algorithm !== "SHA256") continue;
    const index = join(folder, path);
    const found = await ifExists(digestFile(index));
    // Of a list of contents only the packed one is a file.
    if (
      found === undefined &&
      listed.some((one) => one.path === `${path}.gz`) &&
      path.includes("Contents-")
    )
      continue;
    if (found?.size !== size || found.sha256 !== hash)
      return `${index} is not the index that ${join(folder, "InRelease")} names`;
  }
  return undefined;
}

/**
 * Why the signatures do not hold, or undefined. While a key is rotated, the Release file says which keys
 * have signed it: each of its signatures has to be valid, and clients to be given one of these keys.
 */
async function signatureFault(
  folder: string,
  stanza: Stanza,
  keys: KeyPaths,
): Promise<string | undefined> {
  const key = await readSigningKey(keys.gnupg);
  const known = signers(key).map(({ fingerprint }) => fingerprint);
  const said = stanza.get("Signed-By")?.split(",") ?? known.slice(-1);
  const release = join(folder, "Release");
  if (!said.some((fingerprint) => known.includes(fingerprint)))
    return `${release} is signed by ${said.join(" and ")}, which clients are not given`;
  const ring = join(keys.gnupg, publicKeys);
  for (const files of [
    [join(folder, "InRelease")],
    [`${release}.gpg`, release],
  ]) {
    const gpgv = ["gpgv", "--status-fd", "1", "--keyring", ring];
    const { stdout, stderr } = await exec([...gpgv, "--", ...files]);
    for (const fingerprint of said)
      if (!isSignedBy(stdout, fingerprint))
        return `gpgv finds no valid signature of ${fingerprint} in ${files[0] ?? ""}: ${lastLines(stderr, 2)}`;
  }
  if (findTool("sqv") === undefined) return undefined;
  const sqv = async (home: string) => {
    const certificates = join(home, "keys.asc");
    await writeFile(certificates, key.publicKey);
    return exec(["sqv", "--keyring", certificates, `${release}.gpg`, release]);
  };
  const { exitCode, stderr } = await withGnupgHome({}, sqv, keys.run);
  return exitCode === 0
    ? undefined
    : `sqv finds no valid signature in ${release}.gpg: ${lastLines(stderr, 2)}`;
}

/** Whether gpgv's status lines tell a valid signature of that primary key (doc/DETAILS of GnuPG). */
function isSignedBy(status: string, fingerprint: string): boolean {
  return status
    .split("\n")
    .some(
      (line) =>
        line.startsWith("[GNUPG:] VALIDSIG ") &&
        line.split(" ").at(-1) === fingerprint,
    );
}
