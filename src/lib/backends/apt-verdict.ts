/** Whose fault a failed apt is, and the line that says why. */
export interface AptVerdict {
  readonly blame: "package" | "infrastructure";
  readonly line: string;
  /** A file was gone from the mirror: fresh package lists may help. */
  readonly stale: boolean;
}

/** What apt says when it cannot fetch or store (apt's own messages, LC_ALL=C). */
const ours =
  /failed to fetch|temporary failure resolving|could not resolve|could not connect|unable to connect|connection (?:timed out|refused|failed)|hash sum mismatch|no space left|not enough free (?:disk )?space|no_pubkey|is not signed|could not get lock|some files failed to download|unable to fetch|input\/output error|read-only file system/i;

/** What apt says when what was asked cannot be installed. */
const theirs =
  /unable to locate package|has no installation candidate|unmet dependenc|unable to satisfy dependencies|unable to correct problems|dependency .* cannot be satisfied|but it is not (?:installable|going to be installed)|but .* is to be installed|dependency is not satisfiable|version .* was not found|returned an error code|conflicts with/i;

/**
 * Tells a package's fault from ours in apt's output. What nobody recognises is ours: a package is
 * never blamed on a guess.
 */
export function aptVerdict(output: string): AptVerdict {
  const lines = output.split("\n").map((line) => line.trim());
  const fetch = lines.find((line) => ours.test(line));
  if (fetch !== undefined) {
    const stale = /\b404\b|hash sum mismatch|size mismatch/i.test(output);
    return { blame: "infrastructure", line: fetch, stale };
  }
  // "foo : Depends: bar but it is not installable" says more than the E: line that follows it.
  const unmet =
    lines.find((line) =>
      /: (?:Pre-?)?(?:Build-?)?Depends(?:-Indep|-Arch)?: |Build-Depends/.test(
        line,
      ),
    ) ??
    lines.find((line) => /^dpkg: error/.test(line)) ??
    lines.find((line) => theirs.test(line));
  if (lines.some((line) => theirs.test(line)) && unmet !== undefined)
    return { blame: "package", line: unmet, stale: false };
  const line =
    lines.findLast((candidate) => candidate.startsWith("E: ")) ??
    lines.findLast((candidate) => candidate !== "") ??
    "apt said nothing";
  return { blame: "infrastructure", line, stale: false };
}

/** A package file that apt would fetch. */
export interface AptUri {
  readonly uri: string;
  readonly file: string;
  readonly package: string;
  readonly version: string;
  readonly architecture: string;
  readonly hash: string;
}

/** Reads `apt-get --print-uris`: what would be installed, and from where. */
export function readPrintUris(output: string): readonly AptUri[] {
  const found: AptUri[] = [];
  for (const line of output.split("\n")) {
    const match = /^'([^']+)' (\S+) \d+ (\S*)$/.exec(line.trim());
    if (match === null) continue;
    const [, uri = "", file = "", hash = ""] = match;
    const [name, version, architecture] = file
      .replace(/\.u?deb$/, "")
      .split("_")
      .map((part) => decodeURIComponent(part));
    if (
      name === undefined ||
      version === undefined ||
      architecture === undefined
    )
      continue;
    found.push({ uri, file, package: name, version, architecture, hash });
  }
  return found.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
}
