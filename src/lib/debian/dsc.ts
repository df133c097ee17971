import type { Problem } from "../domain/error.ts";
import { refusedWith } from "../domain/error.ts";
import { listOf, trimValue, wordsOf } from "./blanks.ts";
import type { ControlText, ListedFile } from "./control-file.ts";
import {
  mostProblems,
  packageName,
  readFileList,
  readIdentity,
  readStanza,
  required,
} from "./control-file.ts";
import { linesOf } from "./deb822.ts";

/** The contents of a .dsc file (dsc(5)). */
export interface Dsc {
  readonly source: string;
  readonly version: string;
  /** The binary packages that it builds, without udebs. */
  readonly binaries: readonly string[];
  /** Everything that its Binary field names, udebs too. */
  readonly builds: readonly string[];
  /** Build-Depends, -Arch and -Indep, joined by commas. */
  readonly buildDepends: string;
  readonly testsuite: readonly string[];
  readonly files: readonly ListedFile[];
  readonly signed: boolean;
}

/** Reads a .dsc file, and adds everything that is wrong to the list of problems. */
export function readDsc(
  contents: ControlText,
  file: string,
  problems: Problem[],
): Dsc | undefined {
  const read = readStanza(contents, file, problems);
  if (read === undefined) return undefined;
  const { stanza, signed } = read;
  const { source, version } = readIdentity(stanza, file, problems);
  for (const field of ["Format", "Maintainer", "Architecture"])
    required(stanza, field, file, problems);
  const udebs = new Set(
    linesOf(stanza.get("Package-List") ?? "")
      .filter((line) => line.includes("udeb"))
      .map(wordsOf)
      .filter(([, type]) => type === "udeb")
      .map(([name]) => name),
  );
  const binaries = listOf(required(stanza, "Binary", file, problems));
  const wrong = binaries.filter((name) => !packageName.test(name));
  for (const name of wrong.slice(0, mostProblems))
    problems.push({
      where: file,
      field: "Binary",
      message: `${JSON.stringify(name)} is not the name of a binary package`,
    });
  const buildDepends = [
    "Build-Depends",
    "Build-Depends-Arch",
    "Build-Depends-Indep",
  ]
    .map((field) => trimValue(stanza.get(field) ?? ""))
    .filter((value) => value !== "")
    .join(", ");
  return {
    source,
    version,
    binaries: binaries.filter((name) => !udebs.has(name)),
    builds: binaries,
    buildDepends,
    testsuite: listOf(stanza.get("Testsuite") ?? ""),
    files: readFileList(stanza, file, problems),
    signed,
  };
}

/**
 * Reads a .dsc file that admission has accepted.
 *
 * @throws UbuntuCiError (2) with every problem
 */
export function parseDsc(contents: ControlText, file: string): Dsc {
  const problems: Problem[] = [];
  const dsc = readDsc(contents, file, problems);
  if (dsc === undefined || problems.length > 0)
    throw refusedWith(`${file} is not a source package`, problems);
  return dsc;
}
