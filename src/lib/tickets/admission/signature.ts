import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { exec } from "../../host/exec.ts";
import { ifThere } from "../../host/if-there.ts";
import type { Admission } from "./policy.ts";

/** The signer's fingerprint, or null. What gpgv says is read from its status lines (doc/DETAILS of GnuPG). */
export async function checkSignature(
  file: string,
  where: string,
  signed: boolean,
  { policy: { signatures, uploaders }, problems }: Admission,
): Promise<string | null> {
  const complain = (message: string) => {
    if (signatures === "required")
      problems.push({ where, field: "signature", message });
    return null;
  };
  if (!signed) return complain("is missing: sign the upload (debsign)");
  const keys = ((await ifThere(readdir(uploaders))) ?? []).filter((name) =>
    name.endsWith(".gpg"),
  );
  if (keys.length === 0)
    return complain(
      "cannot be checked: there are no uploaders yet (ubuntu-ci uploaders add KEYFILE)",
    );
  const keyrings = keys.flatMap((name) => ["--keyring", join(uploaders, name)]);
  const { stdout, exitCode } = await exec([
    "gpgv",
    "--status-fd",
    "1",
    ...keyrings,
    "--",
    file,
  ]);
  const status = new Map(
    stdout
      .split("\n")
      .filter((line) => line.startsWith("[GNUPG:] "))
      .map((line) => line.slice(9).split(" "))
      .map(([word = "", ...rest]) => [word, rest]),
  );
  const key = (word: string) => status.get(word)?.[0] ?? "";
  if (status.has("BADSIG")) {
    // One that is there and wrong is refused even where signatures are optional.
    const message = `does not match the contents (key ${key("BADSIG")})`;
    problems.push({ where, field: "signature", message });
    return null;
  }
  if (status.has("REVKEYSIG"))
    return complain(`is of a revoked key (${key("REVKEYSIG")})`);
  if (status.has("EXPKEYSIG"))
    return complain(`is of an expired key (${key("EXPKEYSIG")})`);
  if (status.has("EXPSIG"))
    return complain(`has expired (key ${key("EXPSIG")})`);
  if (status.has("NO_PUBKEY"))
    return complain(`is of a key that no uploader has (${key("NO_PUBKEY")})`);
  if (exitCode !== 0 || !status.has("GOODSIG") || !status.has("VALIDSIG"))
    return complain("is not valid");
  return status.get("VALIDSIG")?.[9] ?? key("VALIDSIG");
}
