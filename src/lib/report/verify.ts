import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { messageOf, refused } from "../domain/error.ts";
import { shownText } from "../domain/shown-text.ts";
import { digestFile } from "../files/atomic-file.ts";
import { hasCode, ifExists } from "../files/optional-file.ts";
import { exec, lastLines } from "../host/exec.ts";
import { withGnupgHome } from "../host/gnupg-home.ts";
import { parseSums, signatureFile, sumsFile } from "./sums.ts";

/** The result of verifying a copy of a report. */
export interface VerifiedReport {
  /** Fingerprints of the keys of its signatures, and when it was signed, ISO 8601 UTC; null without a valid one. */
  readonly signed: {
    readonly by: readonly string[];
    readonly at: string;
  } | null;
  /** How many files were compared with their checksums. */
  readonly files: number;
  readonly faults: readonly { readonly path: string; readonly what: string }[];
}

/**
 * Whether a copy of a report is what the holder of a key signed: each file as its list of checksums says,
 * and no file that no list names. It needs no state, and no key but the given ones.
 *
 * @param keyFile the keys to trust, armoured or not, or an apt source that names them
 * @throws UbuntuCiError (2) when the folder or the keys cannot be read
 */
export async function verifyReport(
  folder: string,
  keyFile: string,
  signal: AbortSignal,
): Promise<VerifiedReport> {
  const root = await ifExists(readFile(join(folder, sumsFile), "utf8"));
  if (root === undefined)
    throw refused(
      `${join(folder, sumsFile)} is missing: this is no report, or one of an older version`,
    );
  const faults: { path: string; what: string }[] = [];
  const signature = await signatureOf(folder, keyFile);
  if ("fault" in signature)
    faults.push({ path: signatureFile, what: signature.fault });
  let files = 0;
  const listed = async (below: string, text: string): Promise<void> => {
    const sums = parseSums(text);
    const list = join(below, sumsFile);
    if (sums === undefined) {
      faults.push({ path: list, what: "is not a list of checksums" });
      return;
    }
    for (const [name, sum] of sums) {
      signal.throwIfAborted();
      const path = join(below, name);
      const found = await digestOf(join(folder, path));
      files += 1;
      if (found !== sum)
        faults.push({ path, what: faultInWords[found] ?? "was changed" });
      else if (path.endsWith(`/${sumsFile}`))
        await listed(
          path.slice(0, -sumsFile.length - 1),
          await readFile(join(folder, path), "utf8"),
        );
    }
    const known = new Set(sums.keys());
    for (const name of await filesOf(folder, below, known))
      faults.push({ path: join(below, name), what: "is in no list" });
  };
  await listed("", root);
  const shown = faults.map(({ path, what }) => ({
    path: shownText(path),
    what,
  }));
  return {
    signed: "fault" in signature ? null : signature,
    files,
    faults: shown,
  };
}

const faultInWords: Readonly<Record<string, string>> = {
  missing: "is missing",
  unreadable: "cannot be read",
  "no file": "is not a plain file",
};

/** The SHA-256 of a file, or why there is none. */
async function digestOf(path: string): Promise<string> {
  try {
    return (await digestFile(path)).sha256;
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT") || hasCode(thrown, "ENOTDIR"))
      return "missing";
    return hasCode(thrown, "EACCES") ? "unreadable" : "no file";
  }
}

/** Files that a list should name and does not; the folders that have lists of their own are left to these. */
async function filesOf(
  root: string,
  below: string,
  known: ReadonlySet<string>,
): Promise<string[]> {
  const search = async (folder: string): Promise<string[]> => {
    const entries = await readdir(join(root, below, folder), {
      withFileTypes: true,
    });
    const found: string[] = [];
    for (const entry of entries) {
      const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!known.has(`${name}/${sumsFile}`))
          found.push(...(await search(name)));
      } else if (!known.has(name)) found.push(name);
    }
    return found;
  };
  const own = below === "" ? [sumsFile, signatureFile] : [sumsFile];
  return (await search("")).filter((name) => !own.includes(name));
}

async function signatureOf(
  folder: string,
  keyFile: string,
): Promise<{ by: string[]; at: string } | { fault: string }> {
  const keys = await readFile(keyFile).catch((thrown: unknown) => {
    throw refused(`the keys cannot be read: ${messageOf(thrown)}`);
  });
  return withGnupgHome({}, async (home) => {
    const given = join(home, "keys");
    const ring = join(home, "keyring.gpg");
    const gpg = [
      "gpg",
      "--no-options",
      "--homedir",
      home,
      "--batch",
      "--no-tty",
    ];
    const armour = armourIn(keys.toString("latin1"));
    await writeFile(given, armour ?? keys);
    const made =
      armour === undefined
        ? await exec(["cp", "--", given, ring])
        : await exec([...gpg, "--output", ring, "--dearmor", given]);
    if (made.exitCode !== 0)
      throw refused(
        `${keyFile} holds no OpenPGP keys: ${lastLines(made.stderr, 1)}`,
      );
    const { stdout, stderr, exitCode } = await exec([
      ...["gpgv", "--homedir", home, "--status-fd", "1", "--keyring", ring],
      ...["--", join(folder, signatureFile), join(folder, sumsFile)],
    ]);
    const valid = [
      ...stdout.matchAll(
        /^\[GNUPG:\] VALIDSIG [0-9A-F]+ \S+ ([0-9]+) (?:\S+ ){6}([0-9A-F]+)$/gm,
      ),
    ];
    const by = valid.map(([, , fingerprint = ""]) => fingerprint);
    const at = Math.max(...valid.map(([, seconds]) => Number(seconds)));
    // gpgv fails where one of two signatures is by a key that is not given: one valid one is enough.
    if (
      by.length > 0 &&
      !/^\[GNUPG:\] (?:BADSIG|EXPSIG|EXPKEYSIG|REVKEYSIG) /m.test(stdout)
    )
      return { by, at: new Date(at * 1000).toISOString() };
    return {
      fault:
        exitCode === 0
          ? "has no valid signature"
          : `has no valid signature by the given keys: ${lastLines(stderr, 1)}`,
    };
  });
}

/** The keys in a text: armoured, possibly as the Signed-By field of an apt source (sources.list(5)). */
function armourIn(text: string): string | undefined {
  const block =
    /-----BEGIN PGP PUBLIC KEY BLOCK-----[^]*-----END PGP PUBLIC KEY BLOCK-----/.exec(
      text,
    )?.[0];
  return block?.replaceAll(/^ \.?/gm, "").concat("\n");
}
