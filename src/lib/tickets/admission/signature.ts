import { readFile, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";

import type { ClearSigned } from "../../debian/deb822.ts";
import { clearSigned, hasArmour, trimmedLines } from "../../debian/deb822.ts";
import { packageName } from "../../debian/control-file.ts";
import { messageOf, notNow } from "../../domain/error.ts";
import { problemsOfSigner } from "../../domain/openpgp/key.ts";
import { issuersOf, unarmoured } from "../../domain/openpgp/packets.ts";
import type { SignatureVerdict } from "../../domain/openpgp/verdict.ts";
import { unknownKey, signatureVerdict } from "../../domain/openpgp/verdict.ts";
import { mayUpload, rightsInWords } from "../../domain/package-rights.ts";
import { exec } from "../../host/exec.ts";
import { withGnupgHome } from "../../host/gnupg-home.ts";
import { ifExists } from "../../files/optional-file.ts";
import { gpgSeconds, inspectKeys, refuseWeakDigests } from "../gpg-keyring.ts";
import type { StoredKey, StoredKeys } from "../uploader-store.ts";
import { readStoredKeys } from "../uploader-store.ts";
import type { Admission, AdmissionPolicy, AdmittedFile } from "./policy.ts";
import type { Advice } from "../../domain/remedy.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** An uploader whose signature was found good. */
export interface Signer {
  readonly key: StoredKey;
  readonly uid: string;
}

/** The part of a file that may be parsed, and who signed it; null when no signature is required. */
export interface VerifiedText {
  readonly text: string;
  readonly signer: Signer | null;
}

/** Why a file is refused; the field is `signature` when its signature is the reason. */
interface Refusal {
  readonly field?: "signature";
  readonly message: Advice;
}

/**
 * Verifies the signature of a staged control file and returns the signed text as gpgv prints it. Where
 * signatures are required, nothing of a file without a good signature is parsed. White space at the
 * ends of lines is not signed, so it is removed. gpgv cuts lines after 20,000 characters, and other
 * programs would read more than was signed. Where signatures are optional, a missing one and one of an
 * unknown key count as none; any other bad signature is refused all the same.
 */
export async function verifiedText(
  file: AdmittedFile,
  where: string,
  { policy, problems }: Admission,
): Promise<VerifiedText | undefined> {
  const found = await verifiedOrRefused(file.path, policy);
  if ("text" in found) return found;
  problems.push({ where, ...found });
  return undefined;
}

async function verifiedOrRefused(
  path: string,
  { signatures, uploaders }: AdmissionPolicy,
): Promise<VerifiedText | Refusal> {
  const refusal = (message: Advice): Refusal => ({
    field: "signature",
    message,
  });
  const text = textOf(await readFile(path));
  if (text === undefined) return { message: "is not UTF-8 text" };
  if (text === "") return { message: "is empty" };
  const message = takenApart(text);
  if (message === undefined)
    return signatures === "optional"
      ? { text, signer: null }
      : refusal("is missing: sign the upload (debsign)");
  if ("message" in message) return message;
  if (hasArmour(message.text))
    return { message: "a signed message inside another" };
  const issuers = issuersIn(message);
  if ("message" in issuers) return issuers;
  const stored = await readStoredKeys(uploaders);
  const found = await verify(path, issuers.ids, stored);
  if (found.kind === "unknown key" && signatures === "optional")
    return { text: message.text, signer: null };
  if (found.kind !== "good") return refusal(found.message);
  const covered = `${trimmedLines(found.text).join("\n")}\n`;
  if (covered !== message.text)
    return refusal(
      "covers another text than the one that is read (a line that is too long?)",
    );
  return { text: covered, signer: found.signer };
}

function takenApart(text: string): ClearSigned | Refusal | undefined {
  try {
    return clearSigned(text);
  } catch (thrown) {
    return { message: messageOf(thrown) };
  }
}

/**
 * Checks that the signer may upload that source; nothing is checked without a signer. An invalid name
 * is reported elsewhere.
 */
export function checkRights(
  source: string,
  signer: Signer | null,
  where: string,
  { problems }: Admission,
): void {
  if (signer === null || !packageName.test(source)) return;
  const { uid, key } = signer;
  if (mayUpload(key.rights, source)) return;
  problems.push({
    where,
    field: "Source",
    message: advice`${uid} (${key.fingerprint}) may upload ${rightsInWords(key.rights)}, not ${source}: ${userInfo().username}, who owns this installation, can allow it (${remedy("uploaders add", ["KEYFILE"], { packages: "GLOB" })})`,
  });
}

/** A file as text; undefined when it is none. */
function textOf(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes,
    );
  } catch {
    return undefined;
  }
}

/** The key ids that a message names as its signers; refused unless it has exactly one signature. */
function issuersIn({
  headers,
  signature,
}: ClearSigned): { readonly ids: readonly string[] } | Refusal {
  const field = "signature";
  if (!headers.every((line) => /^Hash: [A-Z0-9, -]{1,200}$/.test(line)))
    return { field, message: "has another header than Hash before the text" };
  try {
    return { ids: issuersOf(unarmoured(signature)) };
  } catch (thrown) {
    return {
      field,
      message: `is not one signature: ${messageOf(thrown)}`,
    };
  }
}

type Verified =
  | { readonly kind: "good"; readonly text: string; readonly signer: Signer }
  | { readonly kind: "unknown key" | "bad"; readonly message: Advice };

/** The verdict of gpgv, and of what is known here about the key. */
async function verify(
  file: string,
  issuers: readonly string[],
  { keys, broken }: StoredKeys,
): Promise<Verified> {
  const unused =
    broken.length === 0
      ? ""
      : advice`; of the keys here ${broken.length} cannot be used: ${remedy("uploaders list")}`;
  if (keys.length === 0)
    return {
      kind: "unknown key",
      message: advice`cannot be checked: there are no uploaders yet (${remedy("uploaders add", ["KEYFILE"])})${unused}`,
    };
  // gpgv takes no more than 40 keyrings, and stops reading one at a packet it does not understand. So
  // it is given only the keys that the signature may be made by.
  const candidates = keys.filter(({ keyIds }) =>
    keyIds.some((id) => issuers.includes(id)),
  );
  const unknown = advice`${unknownKey(issuers[0] ?? "none named")}${unused}`;
  if (candidates.length === 0) return { kind: "unknown key", message: unknown };
  // The folder of the staged file, which is private.
  const privateFolder = dirname(file);
  const { verdict, text } = await runGpgv(file, candidates, privateFolder);
  if (verdict.kind !== "good") return verdict;
  const key = candidates.find(
    ({ fingerprint }) => fingerprint === verdict.primaryKey,
  );
  if (key === undefined || text === undefined)
    return { kind: "bad", message: "is not valid" };
  const inspected = (await inspectKeys(privateFolder, [key])).get(
    verdict.primaryKey,
  );
  // gpgv has read that key, so gpg has not come to its end, whatever kept it from that.
  if (inspected === undefined)
    throw notNow(
      `gpg says nothing within ${gpgSeconds} seconds of the key ${key.fingerprint}, which gpgv has read`,
      "run it again when this machine has less to do",
    );
  const problems = problemsOfSigner(
    inspected,
    verdict.signingKey,
    Date.now() / 1000,
  );
  const { uid } = inspected.lenient;
  return problems.length === 0
    ? { kind: "good", text, signer: { key, uid } }
    : {
        kind: "bad",
        message: `is of the key ${key.fingerprint} of ${uid}, which ${problems.join(" and ")}`,
      };
}

/**
 * Runs gpgv in a folder of its own, where keyring and output have names without folders: it takes a
 * path with a colon for a URL.
 */
async function runGpgv(
  file: string,
  keys: readonly StoredKey[],
  privateFolder: string,
): Promise<{
  readonly verdict: SignatureVerdict;
  readonly text: string | undefined;
}> {
  const work = async (home: string) => {
    await writeFile(
      join(home, "keyring.gpg"),
      Buffer.concat(keys.map(({ bytes }) => bytes)),
    );
    const { stdout, exitCode, timedOut } = await exec(
      [
        ...["gpgv", "--homedir", ".", "--keyring", "./keyring.gpg"],
        ...[...refuseWeakDigests, "--status-fd", "1", "--output", "./text"],
        ...["--", file],
      ],
      { cwd: home, timeoutMs: gpgSeconds * 1000 },
    );
    if (timedOut)
      throw notNow(
        `gpgv takes longer than ${gpgSeconds} seconds for one signature`,
        "run it again when this machine has less to do",
      );
    const verdict = signatureVerdict(stdout, exitCode, Date.now() / 1000);
    const bytes = await ifExists(readFile(join(home, "text")));
    return { verdict, text: bytes === undefined ? undefined : textOf(bytes) };
  };
  return withGnupgHome({}, work, privateFolder);
}
