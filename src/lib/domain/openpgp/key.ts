import { oneLine } from "../shown-text.ts";
import { allowedClockSkew } from "./verdict.ts";

/** A primary key or a subkey, from gpg --with-colons (doc/DETAILS of GnuPG). */
interface KeyPart {
  readonly fingerprint: string;
  /** `i` invalid, `r` revoked, `e` expired, `d` disabled; other values do not matter here. */
  readonly validity: string;
  readonly bits: number;
  readonly algorithm: number;
  /** Seconds since 1970; expires is 0 for never. */
  readonly created: number;
  readonly expires: number;
  readonly maySign: boolean;
  readonly curve: string;
}

/** A key with its subkeys. */
export interface ListedKey extends KeyPart {
  /** The first of its user IDs that is valid, in characters that can be shown. */
  readonly uid: string;
  readonly subkeys: readonly KeyPart[];
}

/**
 * A key as gpg lists it with weak digests refused (strict) and allowed (lenient). The difference shows
 * whether weak digests are why gpg does not accept a part of it.
 */
export interface InspectedKey {
  readonly strict: ListedKey;
  readonly lenient: ListedKey;
}

/** Parses the output of gpg --with-colons. */
export function keysListed(colons: string): ListedKey[] {
  interface Growing {
    part: KeyPart;
    uids: { validity: string; text: string }[];
    subkeys: KeyPart[];
  }
  const keys: Growing[] = [];
  for (const line of colons.split("\n")) {
    const fields = line.split(":");
    const [kind] = fields;
    const key = keys.at(-1);
    if (kind === "pub" || kind === "sec")
      keys.push({ part: partOf(fields), uids: [], subkeys: [] });
    else if (key === undefined) continue;
    else if (kind === "sub" || kind === "ssb") key.subkeys.push(partOf(fields));
    else if (kind === "fpr") {
      const fingerprint = fields[9] ?? "";
      const last = key.subkeys.pop();
      if (last === undefined) key.part = { ...key.part, fingerprint };
      else key.subkeys.push({ ...last, fingerprint });
    } else if (kind === "uid")
      key.uids.push({ validity: fields[1] ?? "", text: fields[9] ?? "" });
  }
  return keys.map(({ part, uids, subkeys }) => {
    const uid = uids.find(({ validity }) => !/[ir]/.test(validity)) ?? uids[0];
    return { ...part, subkeys, uid: shown(unescaped(uid?.text ?? "")) };
  });
}

function partOf(fields: readonly string[]): KeyPart {
  return {
    fingerprint: "",
    validity: fields[1] ?? "",
    bits: Number(fields[2] ?? ""),
    algorithm: Number(fields[3] ?? ""),
    created: Number(fields[5] ?? ""),
    expires: Number(fields[6] ?? ""),
    // Upper-case letters describe the whole key, lower-case ones this part.
    maySign: (fields[11] ?? "").includes("s"),
    curve: fields[16] ?? "",
  };
}

/** Reverts gpg's escaping of control characters, colons and backslashes, which is that of C. */
function unescaped(text: string): string {
  return text.replaceAll(/\\x([0-9a-f]{2})/g, (_all, digits: string) =>
    String.fromCodePoint(Number.parseInt(digits, 16)),
  );
}

const longestUid = 200;

/** A user ID as one line of limited length. */
function shown(text: string): string {
  const characters = Array.from(text);
  const cut =
    characters.length > longestUid
      ? `${characters.slice(0, longestUid).join("")}…`
      : text;
  return oneLine(cut);
}

/**
 * Why a key's signatures are not accepted, as phrases to follow its name; empty when they are.
 *
 * @param now seconds since 1970
 */
export function problemsOfKey(key: InspectedKey, now: number): string[] {
  const problems = problemsOfPart(key.strict, key.lenient, now);
  if (problems.length > 0) return problems;
  const { strict, lenient } = key;
  const signing = [strict, ...strict.subkeys].filter(({ maySign }) => maySign);
  const reasons = signing.map((part) =>
    problemsOfPart(part, partNamed(lenient, part.fingerprint), now),
  );
  if (reasons.some((of) => of.length === 0)) return [];
  // gpg does not list what an invalid subkey may do.
  const subkeys = lenient.subkeys
    .filter(({ maySign }) => maySign)
    .flatMap((part) =>
      problemsOfPart(partNamed(strict, part.fingerprint), part, now).map(
        (problem) => `its subkey ${part.fingerprint} ${problem}`,
      ),
    );
  return ["has no key that may sign now", ...subkeys];
}

/**
 * Why signatures by one part of a key are not accepted, as phrases; empty when they are.
 *
 * @param signingKey fingerprint of the primary key or subkey that signed
 * @param now seconds since 1970
 */
export function problemsOfSigner(
  key: InspectedKey,
  signingKey: string,
  now: number,
): string[] {
  const problems = problemsOfPart(key.strict, key.lenient, now);
  if (problems.length > 0) return problems;
  const strict = partNamed(key.strict, signingKey);
  const own = problemsOfPart(strict, partNamed(key.lenient, signingKey), now);
  if (own.length === 0 && strict?.maySign !== true) own.push("may not sign");
  return signingKey === key.strict.fingerprint
    ? own
    : own.map((problem) => `has a subkey ${signingKey} that ${problem}`);
}

function partNamed(key: ListedKey, fingerprint: string): KeyPart | undefined {
  return [key, ...key.subkeys].find((part) => part.fingerprint === fingerprint);
}

/** What is wrong with a primary key or subkey, regardless of its usage flags. */
function problemsOfPart(
  strict: KeyPart | undefined,
  lenient: KeyPart | undefined,
  now: number,
): string[] {
  if (strict === undefined || lenient === undefined) return ["is not there"];
  const problems: string[] = [];
  if (strict.validity === "r") problems.push("is revoked");
  else if (strict.validity === "e")
    problems.push(`has expired on ${dayOf(strict.expires)}`);
  else if (strict.validity === "d") problems.push("is disabled");
  else if (strict.validity === "i")
    problems.push(
      lenient.validity === "i"
        ? "has no valid self-signature"
        : "has self-signatures by SHA-1, RIPEMD-160 or MD5 alone",
    );
  if (strict.created > now + allowedClockSkew)
    problems.push(`is dated in the future (${dayOf(strict.created)})`);
  const weak = weakAlgorithm(strict);
  if (weak !== undefined) problems.push(weak);
  return problems;
}

/** Why an algorithm is too weak (RFC 9580, section 9.1); the minimum size of RSA is that of NIST SP 800-131A. */
function weakAlgorithm(part: KeyPart): string | undefined {
  switch (part.algorithm) {
    case 1: // RSA
    case 3: // RSA, for signatures only
      return part.bits >= 2048
        ? undefined
        : `is an RSA key of ${part.bits} bits, less than 2048`;
    case 2:
      return "is an RSA key for encryption only";
    case 16:
    case 20:
      return "is an ElGamal key, which cannot sign";
    case 17:
      return "is a DSA key";
    case 19: // ECDSA
    case 22: // EdDSA
      return /^[a-z][a-z0-9]*$/i.test(part.curve)
        ? undefined
        : `is on a curve that gpg does not know (${shown(part.curve)})`;
    default:
      return `is of an algorithm that is not accepted (number ${part.algorithm})`;
  }
}

function dayOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime())
    ? String(seconds)
    : date.toISOString().slice(0, 10);
}
