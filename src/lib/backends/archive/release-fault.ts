import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { wordsOf } from "../../debian/blanks.ts";
import { linesOf, parseDeb822 } from "../../debian/deb822.ts";
import {
  messageOf,
  troubleOfMachine,
  UbuntuCiError,
} from "../../domain/error.ts";
import { hasCode, ifExists } from "../../files/optional-file.ts";

/**
 * Why a client could not use a series of a public tree, or undefined: it reads dists/SERIES/InRelease, by
 * the path that clients take, and looks for the indexes that it names. It does not read those, and does
 * not verify the signature.
 */
export async function releaseFault(
  root: string,
  series: string,
): Promise<string | undefined> {
  const folder = join(root, "dists", series);
  const file = join(folder, "InRelease");
  try {
    const signed = await readFile(file, "utf8");
    const text =
      /^-----BEGIN PGP SIGNED MESSAGE-----\n(?:[^\n]+\n)*\n(?<text>.*)\n-----BEGIN PGP SIGNATURE-----\n/s.exec(
        signed,
      )?.groups?.["text"];
    const [release] = text === undefined ? [] : parseDeb822(text);
    if (release?.get("Codename") !== series)
      return `${file} is no signed Release file of ${series}`;
    for (const line of linesOf(release.get("SHA256") ?? "")) {
      const [, size, path = ""] = wordsOf(line);
      const found = await ifExists(stat(join(folder, path)));
      if (found?.size !== Number(size))
        return `${join(folder, path)} is not the index that ${file} names`;
    }
    return undefined;
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT")) return `${file} is missing`;
    const trouble = troubleOfMachine(thrown) ?? thrown;
    if (trouble instanceof UbuntuCiError)
      return `${file} cannot be read: ${messageOf(trouble)}`;
    throw thrown;
  }
}
