import { aptVerdict } from "../apt-verdict.ts";
import { cutLine } from "../../domain/output-lines.ts";
import type { Outcome } from "../../domain/ticket.ts";

/** sbuild stages in which a failure is the package's own; all others prepare the build. */
const packageStages = new Set([
  ...["arch-check", "build", "check-architecture", "check-unpacked-version"],
  ...["dpkg-buildpackage", "parse-changes", "unpack"],
]);

/** The value of the last `NAME: VALUE` line in a text. */
function lastField(text: string, name: string): string | undefined {
  const begin = `\n${text}`.lastIndexOf(`\n${name}:`);
  if (begin < 0) return undefined;
  const from = begin + name.length + 1;
  const end = text.indexOf("\n", from);
  return cutLine(text.slice(from, end < 0 ? text.length : end)).trim();
}

/**
 * Judges a build by the summary at the end of sbuild's log (`Status:`, `Fail-Stage:`) and its exit code,
 * never by the code alone.
 *
 * @param exit undefined when a signal ended sbuild
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
  // In install-deps only apt's messages tell a missing dependency from an unreachable mirror.
  const blamed =
    stage === "install-deps"
      ? aptVerdict(log).blame === "package"
      : stage !== null && packageStages.has(stage);
  return { outcome: blamed ? "failed" : "tmpfail", stage, status };
}
