import { outputLines } from "../../domain/output-lines.ts";
import { ourFault, packageFault, type Verdict } from "../verdict.ts";

/** Lines that explain a failed build, the most informative kind first. */
const telling = [
  /(?:^|[\s:])(?:fatal )?error: /i,
  /undefined reference to|cannot find -l|No such file or directory/,
  /^dh\w*: error|^dpkg-\w+: error|^dpkg-source: error/,
  /^(?:FAIL|FAILED|ERROR)[ :]/,
  /\bmake(?:\[\d+\])?: \*\*\* /,
];

/**
 * The line of a build log that best says why the build failed: the first of the most informative kind
 * near the end, else the last line. At most 300 characters.
 */
export function explainingLine(log: string): string {
  const lines = [...outputLines(log.slice(-200_000))]
    .map((line) => line.trim())
    .filter((line) => line !== "");
  for (const kind of telling) {
    const found = lines.find((line) => kind.test(line));
    if (found !== undefined) return found.slice(0, 300);
  }
  return (lines.at(-1) ?? "the build said nothing").slice(0, 300);
}

const trouble =
  /No space left on device|Cannot allocate memory|Disk quota exceeded/i;

/** A sign in the log that the machine, not the package, ended the build (no disk space, no memory). */
export function machineTrouble(log: string): string | undefined {
  for (const line of outputLines(log.slice(-200_000)))
    if (trouble.test(line)) return line.trim().slice(0, 300);
  return undefined;
}

/** The verdict on a failed part of a build: the package's fault, unless the log shows that the machine failed. */
export function buildFault(what: string, log: string): Verdict {
  const trouble = machineTrouble(log);
  return trouble === undefined
    ? packageFault(`${what}: ${explainingLine(log)}`)
    : ourFault(trouble);
}
