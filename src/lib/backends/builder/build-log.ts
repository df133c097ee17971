import { outputLines } from "../../domain/output-lines.ts";
import type { Shortage } from "../../host/shortage.ts";
import { ourFault, packageFault, type Verdict } from "../verdict.ts";

/** Lines that can be the cause of a failure. */
interface Kind {
  readonly pattern: RegExp;
  /** How many other lines may lie between two lines of the same cause. */
  readonly apart: number;
}

const kind = (pattern: RegExp, apart = 0): Kind => ({ pattern, apart });

/** What compilers, linkers, shells and the usual test runners say of a failure. */
const kinds: readonly Kind[] = [
  // FILE:LINE: error: …, error[E0425]: …, error TS2304: …, configure: error: …
  kind(/(?:^|[\s:])(?:fatal )?error(?:\[\w+\]| TS\d+)?: \S/i, 40),
  kind(/undefined reference to|cannot find -l|multiple definition of/, 10),
  kind(/^CMake Error\b/, 40),
  kind(
    /(?:not found|No such file or directory|Permission denied|Exec format error|Is a directory)$/,
  ),
  kind(/^[A-Za-z_][\w.]*(?:Error|Exception): \S/),
  kind(/^Can't locate \S+ in @INC|^Cannot find module|No module named /),
  kind(
    /^(?:--- |# +)?(?:FAIL|FAILED|not ok|Failed test)\b[ :]+\S|^test \S+ \.\.\. FAILED$|^ *\d+ - \S+ \((?:Failed|Timeout|SEGFAULT)/,
    10_000,
  ),
  // make's own errors, as opposed to that something it ran failed.
  kind(/^make(?:\[\d+\])?: \*\*\* (?!\[|Waiting )|^[\w/.-]+:\d+: \*\*\* /),
  kind(/^Hunk #\d+ FAILED|can't find file to patch/, 10),
  kind(
    /No space left on device|Cannot allocate memory|Resource temporarily unavailable|Cannot fork|CPU time limit exceeded|Too many open files|File too large|Disk quota exceeded/,
  ),
  kind(
    /Killed signal terminated program|^(?:Killed|Segmentation fault|Aborted)\b/,
  ),
  kind(/^dh_missing: warning: .* exists in /, 10),
];

/** What says only that something before it failed, or what comes behind it. */
const followUp =
  /^make(?:\[\d+\])?: (?:\*\*\* \[|\*\*\* Waiting|Leaving|Entering|Target )|^dh\w*: error: .*returned exit code|^dh_missing: error: missing files|^dpkg-buildpackage: error: |^ninja: build stopped|^FAILED: .*\.o\b|^cc1\w*: |^compilation terminated|^collect2: error: |^error: (?:test failed|could not compile|aborting due)|^# [A-Z]+: +\d+$|^#* *[-=]{3}|^(?!CMake Error).*:$/;

/** Where make, debhelper or dpkg-buildpackage notices that something failed. */
const noticed =
  /^make(?:\[\d+\])?: \*\*\* \[(?!.*\(ignored\))|^dh\w*: error: .*returned exit code|^dpkg-buildpackage: error: /;

/** What make says of a command that a signal ended. */
const signalled =
  /^make(?:\[\d+\])?: \*\*\* \[.*\] (?:CPU time limit exceeded|Segmentation fault|Killed|Aborted|Bus error|Illegal instruction)(?: \(core dumped\))?$/;

/** Debhelper shows whole logs when a configure script or a test has failed. */
const showsLog = /^\s*(?:cd \S+ && )?tail -v -n \+0 /;

/** How many lines before the failure are searched for its cause, and how much of each. */
const lineCount = 1000;
const lineLength = 1000;

/**
 * The line of a build log that says why the build failed: before the failure that make or
 * dpkg-buildpackage noticed last, the nearest line of a telling kind, or the first of several such lines;
 * otherwise what was said, or run, last. At most 300 characters.
 */
export function explainingLine(log: string): string {
  const all = [...outputLines(log)]
    .map((line) => line.slice(0, lineLength).trimEnd())
    .filter((line) => line.trim() !== "");
  const failure = failureIn(all);
  if (signalled.test(all[failure] ?? "")) return shown(all, failure);
  const lines = all.slice(0, failure).slice(-lineCount);
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const line = lines[at] ?? "";
    if (followUp.test(line)) continue;
    const found = kinds.find(({ pattern }) => pattern.test(line));
    if (found !== undefined) return shown(lines, firstOf(lines, at, found));
  }
  const last = lines.findLastIndex((line) => !followUp.test(line));
  if (last >= 0) return shown(lines, last);
  return shown(all.length === 0 ? ["the build said nothing"] : all, -1);
}

/** The index of the line that notices the failure that ended the build; the length if there is none. */
function failureIn(lines: readonly string[]): number {
  let at = lines.findLastIndex((line) => noticed.test(line));
  if (at < 0) return lines.length;
  const log = lines.findLastIndex((line) => showsLog.test(line));
  if (log >= 0) at = Math.min(at, log);
  // One make after the other notices it, and meanwhile jobs that run beside it go on.
  for (let before = at; before >= 0 && at - before < 30; before -= 1)
    if (noticed.test(lines[before] ?? "")) at = before;
  return at;
}

/** The index of the first of the lines of a kind that belong together and end at an index. */
function firstOf(
  lines: readonly string[],
  end: number,
  { pattern, apart }: Kind,
): number {
  let first = end;
  for (let at = end - 1; at >= 0 && first - at <= apart + 1; at -= 1) {
    const line = lines[at] ?? "";
    if (pattern.test(line) && !followUp.test(line)) first = at;
  }
  return first;
}

/** A line for people; a header, with the line below it. */
function shown(lines: readonly string[], index: number): string {
  const line = (lines.at(index) ?? "").trim();
  const below = line.endsWith(":") ? (lines[index + 1] ?? "") : "";
  return `${line} ${below.trim()}`.trim().slice(0, 300);
}

/** How programs say that they ran into a limit that a session sets, and the name of its setting. */
const ownLimits = [
  [/Cannot fork|Resource temporarily unavailable/, "processes"],
  [/Too many open files/, "openFiles"],
  // A shell exits with 128 and the number of SIGXCPU.
  [/CPU time limit exceeded|\bexit status 152\b/, "cpuMinutes"],
  // The disk itself is not full.
  [/No space left on device/, "tmpfsMiB"],
] as const;

/**
 * The verdict on a failed part of a build. Evidence that the machine fell short counts, and of the text
 * only the line that failed: anything else a package may well print.
 */
export function buildFault(
  what: string,
  log: string,
  shortage: Shortage | undefined,
): Verdict {
  const line = explainingLine(log);
  if (shortage !== undefined) return ourFault(`${shortage}: ${line}`);
  // Sessions have no limit on address space.
  if (/Cannot allocate memory$/.test(line)) return ourFault(line);
  return packageFault(`${what}: ${withLimit(line)}`);
}

/** A line that says why something failed, with the setting of the limit that it speaks of. */
export function withLimit(line: string): string {
  const limit = ownLimits.find(([pattern]) => pattern.test(line))?.[1];
  return limit === undefined ? line : `${line} (the setting limits.${limit})`;
}
