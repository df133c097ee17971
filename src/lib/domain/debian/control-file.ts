import type { Problem } from "../error.ts";
import { messageOf } from "../error.ts";
import type { Stanza } from "./deb822.ts";
import { linesOf, parseDeb822, withoutSignature } from "./deb822.ts";
import { versionProblem } from "./version.ts";

/** A file that a .changes or .dsc names, with what it says of it. */
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

/**
 * Reads one signed or unsigned control file of a single stanza. Problems go into the list, each with
 * the file it is from; without a stanza there is nothing to go on with.
 */
export function readStanza(
  text: string,
  file: string,
  problems: Problem[],
): { stanza: Stanza; signed: boolean } | undefined {
  if (text === "") {
    problems.push({ where: file, message: "is empty" });
    return undefined;
  }
  if (/[\0\ufffd]/.test(text)) {
    problems.push({ where: file, message: "is not UTF-8 text" });
    return undefined;
  }
  try {
    const inside = withoutSignature(text);
    const [stanza, another] = parseDeb822(inside.text);
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

/** A mandatory field, or an empty text and a problem. */
export function required(
  stanza: Stanza,
  field: string,
  file: string,
  problems: Problem[],
): string {
  const value = stanza.get(field)?.trim() ?? "";
  if (value === "")
    problems.push({ where: file, field, message: "is missing" });
  return value;
}

/** Source and version, checked. */
export function readIdentity(
  stanza: Stanza,
  file: string,
  problems: Problem[],
): { source: string; version: string } {
  // .changes of binary rebuilds say `name (version)`.
  const source = required(stanza, "Source", file, problems).replace(
    / \(.*\)$/,
    "",
  );
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

/** Files and Checksums-Sha256 of a control file, which must name the same files and sizes. */
export function readFileList(
  stanza: Stanza,
  file: string,
  problems: Problem[],
): ListedFile[] {
  const sums = new Map<string, { size: string; sha256: string }>();
  for (const line of linesOf(
    required(stanza, "Checksums-Sha256", file, problems),
  )) {
    const [sha256 = "", size = "", name, extra] = line.split(/\s+/);
    if (
      name === undefined ||
      extra !== undefined ||
      !/^[0-9a-f]{64}$/.test(sha256) ||
      !/^[0-9]{1,15}$/.test(size)
    ) {
      problems.push({
        where: file,
        field: "Checksums-Sha256",
        message: `${JSON.stringify(line)} is not CHECKSUM SIZE NAME`,
      });
    } else if (sums.has(name)) {
      problems.push({
        where: file,
        field: "Checksums-Sha256",
        message: `${name} is there twice`,
      });
    } else {
      sums.set(name, { size, sha256 });
    }
  }
  const files: ListedFile[] = [];
  const seen = new Set<string>();
  for (const line of linesOf(required(stanza, "Files", file, problems))) {
    const words = line.split(/\s+/);
    const name = words.at(-1) ?? "";
    const size = words[1] ?? "";
    const sum = sums.get(name);
    if (words.length !== 3 && words.length !== 5) {
      problems.push({
        where: file,
        field: "Files",
        message: `${JSON.stringify(line)} has ${words.length} words`,
      });
    } else if (!isFileName(name)) {
      problems.push({
        where: file,
        field: "Files",
        message: `${JSON.stringify(name)} is not a plain file name`,
      });
    } else if (seen.has(name)) {
      problems.push({
        where: file,
        field: "Files",
        message: `${name} is there twice`,
      });
    } else if (sum === undefined) {
      problems.push({
        where: file,
        field: "Checksums-Sha256",
        message: `${name} has no checksum there`,
      });
    } else if (sum.size !== size) {
      problems.push({
        where: file,
        field: "Files",
        message: `${name} has size ${size} here and ${sum.size} in Checksums-Sha256`,
      });
    } else {
      files.push({ name, size: Number(size), sha256: sum.sha256 });
    }
    seen.add(name);
  }
  for (const name of sums.keys()) {
    if (!seen.has(name))
      problems.push({
        where: file,
        field: "Files",
        message: `${name} is only in Checksums-Sha256`,
      });
  }
  return files;
}

/** No folder, no `..`, no control characters, nothing that a shell or an option parser would take for more. */
function isFileName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9+.:~_-]*$/.test(name);
}
