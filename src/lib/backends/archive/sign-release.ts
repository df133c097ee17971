import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { notNow } from "../../domain/error.ts";
import { digestFile } from "../../files/atomic-file.ts";
import { writePublicFile } from "../../files/public-files.ts";
import { describeEnd, exec, lastLines } from "../../host/exec.ts";
import type { IndexFile } from "./index-files.ts";
import { indexFilesOf } from "./index-files.ts";
import type { ReleaseTerms } from "./release.ts";
import { releaseText } from "./release.ts";
import type { KeyPaths } from "./signing-key.ts";
import { execSigning, readSigningKey, signers } from "./signing-key.ts";

/** How the Release files of a repository are signed. */
export interface SigningOptions {
  readonly keys: KeyPaths;
  /** Milliseconds that a Release file is valid for; null: it has no end. */
  readonly validMs: number | null;
  readonly signal: AbortSignal | undefined;
  /** What makes it another suite; see {@link ReleaseTerms.suite}. */
  readonly suite?: ReleaseTerms["suite"];
}

/**
 * Completes what aptly made of a distribution: xz beside each Packages and Sources file, a Release file
 * with SHA-256 alone, and its signatures. Clients must not see the folder yet.
 */
export async function finishDistribution(
  folder: string,
  options: SigningOptions,
): Promise<void> {
  const like = await readFile(join(folder, "Release"), "utf8");
  const indexes = sha256Only(like).filter(
    // aptly lists the contents twice, and clients look for them beside their component's indexes.
    ({ path }) => !path.startsWith("Contents-") && !path.endsWith(".xz"),
  );
  const packed = indexes
    .map(({ path }) => path)
    .filter((path) => /\/(?:Packages|Sources)$/.test(path));
  if (packed.length > 0) {
    // xz makes a new file: the old one may be public under another name. More than -0 takes three times as
    // long, and saves clients two hundredths.
    const xz = ["xz", "--keep", "--force", "-0", "--", ...packed];
    const done = await exec(xz, {
      cwd: folder,
      ...(options.signal !== undefined && { signal: options.signal }),
    });
    if (done.exitCode !== 0)
      throw notNow(`xz ${describeEnd(done)}: ${lastLines(done.stderr)}`);
  }
  const more = packed.map(async (path) => {
    const { size, sha256 } = await digestFile(join(folder, `${path}.xz`));
    return { path: `${path}.xz`, size, hash: sha256 };
  });
  await sign(folder, like, [...indexes, ...(await Promise.all(more))], options);
}

/**
 * Writes Release, Release.gpg and InRelease of a distribution anew, with the same indexes. Clients must
 * not see the folder yet.
 */
export async function renewRelease(
  folder: string,
  options: SigningOptions,
): Promise<void> {
  const like = await readFile(join(folder, "Release"), "utf8");
  await sign(folder, like, sha256Only(like), options);
}

function sha256Only(release: string): IndexFile[] {
  return indexFilesOf(release).filter(
    ({ algorithm }) => algorithm === "SHA256",
  );
}

async function sign(
  folder: string,
  like: string,
  indexes: readonly Pick<IndexFile, "path" | "size" | "hash">[],
  { keys, validMs, signal, suite }: SigningOptions,
): Promise<void> {
  const key = await readSigningKey(keys.gnupg);
  const signedBy = signers(key).map(({ fingerprint }) => fingerprint);
  const text = releaseText(like, indexes, {
    at: Date.now(),
    validMs,
    signedBy,
    ...(suite !== undefined && { suite }),
  });
  const [inline, detached] = await Promise.all([
    signText(keys, text, ["--clear-sign"], signal),
    signText(keys, text, ["--armor", "--detach-sign"], signal),
  ]);
  await writePublicFile(join(folder, "Release"), text);
  await writePublicFile(join(folder, "Release.gpg"), detached);
  await writePublicFile(join(folder, "InRelease"), inline);
}

/**
 * Signs a text with all keys that sign at present.
 *
 * @param how options of gpg: what kind of signature
 * @throws UbuntuCiError (75) when gpg does not sign
 */
export async function signText(
  keys: KeyPaths,
  text: string,
  how: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const signedBy = signers(await readSigningKey(keys.gnupg));
  const result = await execSigning(
    keys,
    [
      ...["gpg", "--batch", "--no-tty", "--digest-algo", "SHA512"],
      ...signedBy.flatMap(({ fingerprint }) => ["--local-user", fingerprint]),
      ...["--output", "-", ...how],
    ],
    { input: text, ...(signal !== undefined && { signal }) },
  );
  if (result.exitCode === 0) return `${result.stdout.trimEnd()}\n`;
  throw notNow(
    `gpg ${describeEnd(result)} and did not sign: ${lastLines(result.stderr)}`,
  );
}
