import type { Problem } from "../error.ts";
import { refusedWith } from "../error.ts";
import type { ListedFile } from "./control-file.ts";
import {
  packageName,
  readFileList,
  readIdentity,
  readStanza,
  required,
} from "./control-file.ts";
import { linesOf } from "./deb822.ts";

/** What a .dsc file says (dsc(5)). */
export interface Dsc {
  readonly source: string;
  readonly version: string;
  /** Binary packages it builds, udebs left out. */
  readonly binaries: readonly string[];
  /** Build-Depends, -Arch and -Indep joined. */
  readonly buildDepends: string;
  readonly testsuite: readonly string[];
  readonly files: readonly ListedFile[];
  readonly signed: boolean;
}

/** Reads a .dsc file; everything that is wrong goes into the list. */
export function readDsc(
  text: string,
  file: string,
  problems: Problem[],
): Dsc | undefined {
  const read = readStanza(text, file, problems);
  if (read === undefined) return undefined;
  const { stanza, signed } = read;
  const { source, version } = readIdentity(stanza, file, problems);
  for (const field of ["Format", "Maintainer", "Architecture"])
    required(stanza, field, file, problems);
  const udebs = new Set(
    linesOf(stanza.get("Package-List") ?? "")
      .map((line) => line.split(/\s+/))
      .filter(([, type]) => type === "udeb")
      .map(([name]) => name),
  );
  const binaries = required(stanza, "Binary", file, problems)
    .split(/[\s,]+/)
    .filter((name) => name !== "");
  for (const name of binaries) {
    if (!packageName.test(name))
      problems.push({
        where: file,
        field: "Binary",
        message: `${JSON.stringify(name)} is not the name of a binary package`,
      });
  }
  const buildDepends = [
    "Build-Depends",
    "Build-Depends-Arch",
    "Build-Depends-Indep",
  ]
    .map((field) => stanza.get(field)?.trim() ?? "")
    .filter((value) => value !== "")
    .join(", ");
  return {
    source,
    version,
    binaries: binaries.filter((name) => !udebs.has(name)),
    buildDepends,
    testsuite: (stanza.get("Testsuite") ?? "")
      .split(/[\s,]+/)
      .filter((name) => name !== ""),
    files: readFileList(stanza, file, problems),
    signed,
  };
}

/**
 * A .dsc that was admitted before.
 *
 * @throws UbuntuCiError (2) with everything that is wrong
 */
export function parseDsc(text: string, file: string): Dsc {
  const problems: Problem[] = [];
  const dsc = readDsc(text, file, problems);
  if (dsc === undefined || problems.length > 0)
    throw refusedWith(`${file} is not a source package`, problems);
  return dsc;
}
