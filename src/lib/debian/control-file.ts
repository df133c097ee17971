import type { Problem } from "../domain/error.ts";
import { messageOf } from "../domain/error.ts";
import { trimValue, wordsOf } from "./blanks.ts";
import type { Stanza } from "./deb822.ts";
import { eachStanza, linesOf, withoutSignature } from "./deb822.ts";
import { versionProblem } from "./version.ts";

/** A file that a .changes or .dsc lists: size in bytes, sha256 in hex. */
export interface ListedFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/**
 * Names of source and binary packages: at least two characters (Debian Policy 5.6.1 and 5.6.7;
 * dpkg takes one, archives do not).
 */
export const packageName = /^[a-z0-9][a-z0-9+.-]+$/;

/** The contents of a control file: a text, or bytes, which must be UTF-8. */
export type ControlText = Uint8Array | string;

/** Contents as text; undefined when they are not UTF-8 or contain a NUL. */
function textOf(contents: ControlText): string | undefined {
  if (typeof contents === "string")
    return contents.includes("\0") ? undefined : contents;
  try {
    // A byte order mark is kept, so that it makes the first field's name invalid.
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return textOf(decoder.decode(contents));
  } catch {
    return undefined;
  }
}

/**
 * Reads a control file of one stanza, signed or not. Adds problems to the list; undefined when there is
 * no stanza to read.
 */
export function readStanza(
  contents: ControlText,
  file: string,
  problems: Problem[],
): { stanza: Stanza; signed: boolean } | undefined {
  const text = textOf(contents);
  if (text === "") {
    problems.push({ where: file, message: "is empty" });
    return undefined;
  }
  if (text === undefined) {
    problems.push({ where: file, message: "is not UTF-8 text" });
    return undefined;
  }
  try {
    const inside = withoutSignature(text);
    // Nothing after the second stanza is parsed.
    const [stanza, another] = eachStanza(inside.text);
    if (stanza === undefined)
      problems.push({ where: file, message: "has no fields" });
    else if (another !== undefined)
      problems.push({ where: file, message: "has more than one stanza" });
    else return { stanza, signed: inside.signed };
  } catch (thrown) {
    problems.push({ where: file, message: messageOf(thrown) });
  }
  return undefined;
}

/** The value of a mandatory field; when it is missing, an empty text and a problem. */
export function required(
  stanza: Stanza,
  field: string,
  file: string,
  problems: Problem[],
): string {
  const value = trimValue(stanza.get(field) ?? "");
  if (value === "")
    problems.push({ where: file, field, message: "is missing" });
  return value;
}

/** The source name and version, each validated. */
export function readIdentity(
  stanza: Stanza,
  file: string,
  problems: Problem[],
): { source: string; version: string } {
  const source = withoutVersion(required(stanza, "Source", file, problems));
  if (source !== "" && !packageName.test(source)) {
    problems.push({
      where: file,
      field: "Source",
      message: `${JSON.stringify(source)} is not the name of a source package`,
    });
  }
  const version = required(stanza, "Version", file, problems);
  const wrong = version === "" ? undefined : versionProblem(version);
  if (wrong !== undefined)
    problems.push({
      where: file,
      field: "Version",
      message: `${JSON.stringify(version)} ${wrong}`,
    });
  return { source, version };
}

/** The name in a Source field, which is `name (version)` in the .changes of a binary rebuild. */
export function withoutVersion(source: string): string {
  const bracket = source.indexOf(" (");
  return bracket < 0 || !source.endsWith(")") || source.includes("\n")
    ? source
    : source.slice(0, bracket);
}

/** At most this many problems of a list are reported, since a hostile file may have millions. */
export const mostProblems = 100;

/** Optional lists of files, which are checked since dpkg-source uses a file that any list names. */
const furtherLists = [
  { field: "Checksums-Sha1", sum: /^[0-9a-f]{40}$/ },
  { field: "Checksums-Sha512", sum: /^[0-9a-f]{128}$/ },
  { field: "Checksums-Md5", sum: /^[0-9a-f]{32}$/ },
];

/**
 * The files in Files and Checksums-Sha256, which must agree on names and sizes, as must all optional
 * lists that are present.
 */
export function readFileList(
  stanza: Stanza,
  file: string,
  problems: Problem[],
): ListedFile[] {
  const full = problems.length + mostProblems;
  const complain = (field: string, message: string) =>
    problems.push({ where: file, field, message });
  const sums = new Map<string, { size: string; sha256: string }>();
  for (const line of linesOf(
    required(stanza, "Checksums-Sha256", file, problems),
  )) {
    if (problems.length >= full) break;
    const [sha256 = "", size = "", name, extra] = wordsOf(line);
    if (
      name === undefined ||
      extra !== undefined ||
      !/^[0-9a-f]{64}$/.test(sha256) ||
      !/^[0-9]{1,15}$/.test(size)
    )
      complain(
        "Checksums-Sha256",
        `${JSON.stringify(line)} is not CHECKSUM SIZE NAME`,
      );
    else if (sums.has(name))
      complain("Checksums-Sha256", `${name} is there twice`);
    else sums.set(name, { size, sha256 });
  }
  const files: ListedFile[] = [];
  const seen = new Set<string>();
  for (const line of linesOf(required(stanza, "Files", file, problems))) {
    if (problems.length >= full) break;
    const words = wordsOf(line);
    const name = words.at(-1) ?? "";
    const size = words[1] ?? "";
    const sum = sums.get(name);
    if (words.length !== 3 && words.length !== 5)
      complain("Files", `${JSON.stringify(line)} has ${words.length} words`);
    else if (!/^[0-9a-f]{32}$/.test(words[0] ?? ""))
      complain(
        "Files",
        `${JSON.stringify(line)} does not begin with an MD5 sum`,
      );
    else if (!isFileName(name))
      complain("Files", `${JSON.stringify(name)} is not a plain file name`);
    else if (seen.has(name)) complain("Files", `${name} is there twice`);
    else if (sum === undefined)
      complain("Checksums-Sha256", `${name} has no checksum there`);
    else if (sum.size !== size)
      complain(
        "Files",
        `${name} has size ${size} here and ${sum.size} in Checksums-Sha256`,
      );
    else files.push({ name, size: Number(size), sha256: sum.sha256 });
    seen.add(name);
  }
  for (const name of sums.keys()) {
    if (problems.length >= full) break;
    if (!seen.has(name))
      complain("Files", `${name} is only in Checksums-Sha256`);
  }
  for (const { field, sum } of furtherLists) {
    const named = new Set<string>();
    for (const line of linesOf(stanza.get(field) ?? "")) {
      if (problems.length >= full) break;
      const [digest = "", size = "", name = "", extra] = wordsOf(line);
      if (extra !== undefined || !sum.test(digest))
        complain(field, `${JSON.stringify(line)} is not CHECKSUM SIZE NAME`);
      else if (sums.get(name)?.size !== size)
        complain(
          field,
          `${JSON.stringify(line)} is not what Checksums-Sha256 says`,
        );
      else if (named.has(name)) complain(field, `${name} is there twice`);
      named.add(name);
    }
  }
  if (problems.length >= full) complain("Files", "has more that is wrong");
  return files;
}

/** Whether a name stays in its folder and means nothing special to a shell or an option parser. */
function isFileName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9+.:~_-]*$/.test(name);
}
