import type { Problem } from "../domain/error.ts";
import { refusedWith } from "../domain/error.ts";
import { isBuiltOn } from "./architecture.ts";
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
  /** What it can be built on: names and wildcards, `all` among them. */
  readonly architectures: readonly string[];
  /** The architectures of single binary packages, as far as Package-List tells. */
  readonly architecturesOf: ReadonlyMap<string, readonly string[]>;
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
  for (const field of ["Format", "Maintainer"])
    required(stanza, field, file, problems);
  const architectures = wordsOf(
    required(stanza, "Architecture", file, problems),
  );
  // NAME TYPE SECTION PRIORITY arch=LIST profile=FORMULA (deb-src-control(5), Package-List)
  const listed = linesOf(stanza.get("Package-List") ?? "").map(wordsOf);
  const udebs = new Set(
    listed.filter(([, type]) => type === "udeb").map(([name]) => name),
  );
  const architecturesOf = new Map<string, readonly string[]>();
  for (const [name = "", , , , ...options] of listed) {
    const arch = options.find((option) => option.startsWith("arch="));
    if (arch !== undefined)
      architecturesOf.set(name, arch.slice("arch=".length).split(","));
  }
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
    architectures,
    architecturesOf,
    builds: binaries,
    buildDepends,
    testsuite: listOf(stanza.get("Testsuite") ?? ""),
    files: readFileList(stanza, file, problems),
    signed,
  };
}

/** The binary packages that are built of it on a machine, udebs left out. */
export function binariesOn(
  { binaries, architecturesOf }: Pick<Dsc, "binaries" | "architecturesOf">,
  architecture: string,
): string[] {
  return binaries.filter((name) => {
    const names = architecturesOf.get(name);
    return names === undefined || isBuiltOn(architecture, names);
  });
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
