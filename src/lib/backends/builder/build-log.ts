/** Lines that explain a failed build, the most telling kind first. */
const telling = [
  /(?:^|[\s:])(?:fatal )?error: /i,
  /undefined reference to|cannot find -l|No such file or directory/,
  /^dh\w*: error|^dpkg-\w+: error|^dpkg-source: error/,
  /^(?:FAIL|FAILED|ERROR)[ :]/,
  /\bmake(?:\[\d+\])?: \*\*\* /,
];

/**
 * The line of a build's output that says why it failed: the first of the most telling kind in the
 * last part of the log, else its last line. At most 300 characters.
 */
export function explainingLine(log: string): string {
  const lines = log
    .slice(-200_000)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  for (const kind of telling) {
    const found = lines.find((line) => kind.test(line));
    if (found !== undefined) return found.slice(0, 300);
  }
  return (lines.at(-1) ?? "the build said nothing").slice(0, 300);
}

/** Whether our machine, not the package, ended a build: no space, no memory. */
export function machineTrouble(log: string): string | undefined {
  const found =
    /^.*(?:No space left on device|Cannot allocate memory|Disk quota exceeded).*$/im.exec(
      log.slice(-200_000),
    );
  return found?.[0].trim().slice(0, 300);
}
