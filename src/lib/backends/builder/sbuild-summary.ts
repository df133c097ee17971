import { aptVerdict } from "../apt-verdict.ts";
import { cutLine } from "../../domain/output-lines.ts";
import type { Outcome } from "../../domain/ticket.ts";

/** sbuild's stages in which a failure is the package's own; all others are preparation, ours. */
const packageStages = new Set([
  "arch-check",
  "build",
  "check-architecture",
  "check-unpacked-version",
  "dpkg-buildpackage",
  "parse-changes",
  "unpack",
]);

/** The last line `NAME: VALUE` of a text, its value. */
function lastField(text: string, name: string): string | undefined {
  const begin = `\n${text}`.lastIndexOf(`\n${name}:`);
  if (begin < 0) return undefined;
  const from = begin + name.length + 1;
  const end = text.indexOf("\n", from);
  return cutLine(text.slice(from, end < 0 ? text.length : end)).trim();
}

/**
 * Reads the summary at the end of sbuild's log (`Status:`, `Fail-Stage:`) and its exit code: never
 * only the code.
 *
 * exit: undefined when a signal ended it.
 */
export function readSbuildSummary(
  log: string,
  exit: number | undefined,
): { outcome: Outcome; stage: string | null; status: string } {
  const last = (name: string) => lastField(log, name);
  const status = last("Status") ?? "no summary";
  const stage = last("Fail-Stage") ?? null;
  if (exit === 0 && status === "successful")
    return { outcome: "passed", stage, status };
  // In install-deps it is apt that knows whether a dependency or the mirror is missing.
  const blamed =
    stage === "install-deps"
      ? aptVerdict(log).blame === "package"
      : stage !== null && packageStages.has(stage);
  return { outcome: blamed ? "failed" : "tmpfail", stage, status };
}
