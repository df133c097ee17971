import { binaryFile } from "../debian/package-file.ts";
import { outputLines } from "../domain/output-lines.ts";

/** Whose fault a failed apt is, and the line that says why. */
interface AptVerdict {
  readonly blame: "package" | "infrastructure";
  readonly line: string;
  /** A file was gone from the mirror: fresh package lists may help. */
  readonly stale: boolean;
}

/** apt's messages (LC_ALL=C) when it cannot fetch or store: our infrastructure. */
const ours =
  /failed to fetch|temporary failure resolving|could not resolve|could not connect|unable to connect|connection (?:timed out|refused|failed)|hash sum mismatch|no space left|not enough free (?:disk )?space|no_pubkey|is not signed|could not get lock|some files failed to download|unable to fetch|input\/output error|read-only file system/i;

/** apt's messages when a request cannot be installed: the package's fault. */
const theirs =
  /unable to locate package|has no installation candidate|unmet dependenc|unable to satisfy dependencies|unable to correct problems|but it is not (?:installable|going to be installed)|dependency is not satisfiable|returned an error code|conflicts with/i;

/** The same, for messages with a package name between two fixed parts. */
const theirsAround = [
  ["dependency ", " cannot be satisfied"],
  ["but ", " is to be installed"],
  ["version ", " was not found"],
] as const;

/**
 * Whether a line blames the package. The two parts are searched one after the other, since the pattern
 * `a.*b` takes quadratic time on a line with many a's.
 */
function blamesPackage(line: string): boolean {
  if (theirs.test(line)) return true;
  const small = line.toLowerCase();
  return theirsAround.some(([before, behind]) => {
    const begin = small.indexOf(before);
    return begin >= 0 && small.includes(behind, begin + before.length);
  });
}

const dependsLine =
  /: (?:Pre-?)?(?:Build-?)?(?:Depends|Conflicts)(?:-Indep|-Arch)?: |: Breaks: |Build-Depends/;

const reasonLimit = 1000;

/**
 * Decides from apt's output whether the package or our infrastructure is to blame. An unknown message
 * blames the infrastructure: a package is never blamed on a guess.
 */
export function aptVerdict(output: string): AptVerdict {
  let depends: string | undefined;
  let dpkg: string | undefined;
  let blaming: string | undefined;
  let error: string | undefined;
  let last: string | undefined;
  for (const raw of outputLines(output)) {
    const line = raw.trim();
    if (line === "") continue;
    if (ours.test(line)) {
      const stale = /\b404\b|hash sum mismatch|size mismatch/i.test(output);
      return { ...because("infrastructure", line), stale };
    }
    if (dependsLine.test(line)) depends ??= line;
    if (line.startsWith("dpkg: error")) dpkg ??= line;
    if (line.endsWith(":") ? blaming === undefined : isHeader(blaming))
      blaming = blamesPackage(line) ? line : blaming;
    if (line.startsWith("E: ")) error = line;
    last = line;
  }
  // "foo : Depends: bar but it is not installable" says more than the E: line after it.
  return blaming === undefined
    ? because("infrastructure", error ?? last ?? "apt said nothing")
    : because("package", depends ?? dpkg ?? blaming);
}

/** Whether a line only introduces the next, or is none. */
function isHeader(line: string | undefined): boolean {
  return line === undefined || line.endsWith(":");
}

/** dpkg's message about a package that it could not install, and what that said last. */
const failedPackage = /^dpkg: error processing (?:package|archive) (\S+) \(/;

/**
 * Why dpkg failed: the package, dpkg's words, and what its script said before that; undefined when dpkg
 * did not say so.
 */
export function dpkgFailure(output: string): string | undefined {
  const lines = [...outputLines(output)].map((line) => line.trim());
  const at = lines.findIndex((line) => failedPackage.test(line));
  if (at < 0) return undefined;
  const name = failedPackage.exec(lines[at] ?? "")?.[1] ?? "";
  const why = lines[at + 1] ?? "";
  const said = lines.slice(0, at).findLast((line) => line !== "") ?? "";
  const ofDpkg =
    /^(?:Setting up|Preparing to unpack|Unpacking|Selecting|\(Reading)/;
  const parts = [name, why, ...(ofDpkg.test(said) ? [] : [said])];
  return parts.join(": ").slice(0, reasonLimit);
}

/** A line in which a program that makes device nodes says that it may not. */
export function deniedDevice(output: string): string | undefined {
  for (const line of outputLines(output))
    if (/^mknod: .*Operation not permitted$/.test(line.slice(0, 1000).trim()))
      return line.trim();
  return undefined;
}

function because(blame: AptVerdict["blame"], line: string): AptVerdict {
  return { blame, line: line.slice(0, reasonLimit), stale: false };
}

/** A package file that apt would fetch; `hash` is `ALGORITHM:HEX`. */
export interface AptUri {
  readonly uri: string;
  readonly file: string;
  readonly package: string;
  readonly version: string;
  readonly architecture: string;
  readonly hash: string;
}

/** Decodes part of a file name, in which apt escapes an epoch's colon; a malformed one is returned unchanged. */
function unescaped(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Parses `apt-get --print-uris`: what would be installed, and from where. */
export function readPrintUris(output: string): readonly AptUri[] {
  const found: AptUri[] = [];
  for (const line of outputLines(output)) {
    const match = /^'([^']+)' (\S+) \d+ (\S*)$/.exec(line.trim());
    if (match === null) continue;
    const [, uri = "", file = "", hash = ""] = match;
    const [name = "", version = "", architecture] = file
      .replace(binaryFile, "")
      .split("_")
      .map(unescaped);
    if (architecture === undefined) continue;
    found.push({ uri, file, package: name, version, architecture, hash });
  }
  return found.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
}

/** The packages that `apt-get` says it would remove, from its output for people. */
export function readRemoved(output: string): readonly string[] {
  const names: string[] = [];
  let listed = false;
  for (const line of output.split("\n")) {
    if (line.startsWith("  ") && listed)
      // apt marks purged packages with a star.
      names.push(
        ...line
          .trim()
          .split(/ +/)
          .map((word) => word.replace("*", "")),
      );
    else listed = line.startsWith("The following packages will be REMOVED:");
  }
  return names.sort();
}
