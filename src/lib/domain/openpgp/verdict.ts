/** gpgv's result for a message with one signature. */
export type SignatureVerdict =
  | {
      readonly kind: "good";
      /** Fingerprint of the key that signed, possibly a subkey. */
      readonly signingKey: string;
      /** Fingerprint of its primary key, which identifies the signer. */
      readonly primaryKey: string;
    }
  | { readonly kind: "unknown key"; readonly message: string }
  | { readonly kind: "bad"; readonly message: string };

/**
 * How far a signature's date may be ahead of this machine's clock, in seconds. Clocks synchronised by NTP
 * differ by less than a second; one that is set by hand, or of a machine just resumed from sleep, may be
 * minutes off. A date further ahead is wrong, or chosen to outlive the key.
 */
export const allowedClockSkew = 15 * 60;

/** Digests with known or expected collisions (RFC 9580, section 9.5). */
const weakDigests: Readonly<Record<string, string>> = {
  "1": "MD5",
  "2": "SHA-1",
  "3": "RIPEMD-160",
};

/** SHA-2 and SHA-3 (RFC 9580, section 9.5). */
const strongDigests = new Set(["8", "9", "10", "11", "12", "14"]);

/** A signature over text, as clear-signed messages have (RFC 9580, section 5.2.1). */
const textSignature = "01";

/** Keywords of gpgv's status lines that report a problem with the signature, and how to describe it. */
const troubles: Readonly<Record<string, (key: string) => string>> = {
  BADSIG: (key) => `does not match the contents (key ${key})`,
  REVKEYSIG: (key) => `is of a revoked key (${key})`,
  EXPKEYSIG: (key) => `is of an expired key (${key})`,
  EXPSIG: (key) => `has expired (key ${key})`,
};

/**
 * Interprets the status lines of gpgv (doc/DETAILS of GnuPG). A signature is good only if each required
 * line occurs exactly once and no line reports a problem.
 *
 * @param now seconds since 1970
 */
export function signatureVerdict(
  status: string,
  exitCode: number | undefined,
  now: number,
): SignatureVerdict {
  const said = statusLines(status);
  const all = (word: string) => said.filter(([first]) => first === word);
  const bad = (message: string): SignatureVerdict => ({ kind: "bad", message });
  for (const [word, trouble] of Object.entries(troubles)) {
    const [found] = all(word);
    if (found !== undefined) return bad(trouble(found[1] ?? ""));
  }
  const [unknown] = all("NO_PUBKEY");
  if (unknown !== undefined)
    return { kind: "unknown key", message: unknownKey(unknown[1] ?? "") };
  const [unchecked] = all("ERRSIG");
  if (unchecked !== undefined) return bad(whyUnchecked(unchecked));
  const [valid] = all("VALIDSIG");
  const once = ["NEWSIG", "GOODSIG", "VALIDSIG", "PLAINTEXT"].every(
    (word) => all(word).length === 1,
  );
  const spoilt = ["ERROR", "FAILURE", "NODATA", "UNEXPECTED"].some(
    (word) => all(word).length > 0,
  );
  if (valid === undefined || !once || spoilt || exitCode !== 0)
    return bad("is not valid");
  const [, signingKey = "", , made = "", , , , , hash = "", kind = ""] = valid;
  if (!strongDigests.has(hash)) return bad(weakDigest(hash));
  if (kind !== textSignature)
    return bad(`is of another kind (class ${kind}) than one over text (01)`);
  const ahead = Number(made) - now;
  if (!(ahead <= allowedClockSkew))
    return bad(`is dated in the future (${momentOf(Number(made))})`);
  return { kind: "good", signingKey, primaryKey: valid[10] ?? signingKey };
}

export function unknownKey(key: string): string {
  return `is of a key that no uploader has (${key})`;
}

function statusLines(status: string): string[][] {
  const mark = "[GNUPG:] ";
  return status
    .split("\n")
    .filter((line) => line.startsWith(mark))
    .map((line) => line.slice(mark.length).split(" "));
}

/** Explains ERRSIG: key id, key algorithm, digest, class, time, and the reason as an error code of libgpg-error. */
function whyUnchecked(line: readonly string[]): string {
  const [, key = "", , hash = "", , , reason = ""] = line;
  if (hash in weakDigests) return weakDigest(hash);
  switch (reason) {
    case "6": // GPG_ERR_BAD_PUBKEY
      return `is of a key whose self-signatures are not valid, or made with a weak digest (${key})`;
    case "125": // GPG_ERR_WRONG_KEY_USAGE
      return `is of a key that may not sign (${key})`;
    default:
      return `cannot be checked (key ${key}, reason ${reason})`;
  }
}

function weakDigest(hash: string): string {
  return `is made with ${weakDigests[hash] ?? `digest ${hash}`}, which is too weak: sign with SHA-256 or SHA-512 (gpg --digest-algo)`;
}

function momentOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds}` : date.toISOString();
}
