import { refused } from "../../domain/error.ts";
import type { AptRepository } from "../apt-repository.ts";
import { fileUri } from "../apt-repository.ts";
import type { KeyPaths } from "./signing-key.ts";
import { readSigningKey } from "./signing-key.ts";

/**
 * A repository signed with the installation's key.
 *
 * @param root absolute path of its public tree
 * @throws UbuntuCiError (78) when there is no key yet
 */
export async function signedRepository(
  { gnupg }: KeyPaths,
  name: string,
  root: string,
  series: string,
): Promise<AptRepository> {
  return {
    name,
    uri: fileUri(root),
    suite: checkedSeries(series),
    component: "main",
    signingKey: (await readSigningKey(gnupg)).publicKey,
  };
}

/**
 * Validates a series, which becomes a folder in dists/ and an argument of aptly.
 *
 * @throws UbuntuCiError (2) for an invalid name
 */
export function checkedSeries(series: string): string {
  if (!/^[a-z0-9][a-z0-9+.-]*$/.test(series))
    throw refused(`${JSON.stringify(series)} is not the name of a series`);
  return series;
}
