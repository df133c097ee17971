import { ignoredArchitecture, ignoredStep } from "./override.ts";
import { decide, defaultPolicy, judge } from "./policy.ts";
import type { Remedy } from "./remedy.ts";
import { remedy } from "./remedy.ts";
import type { WorkStepCode } from "./step.ts";
import { failedStep, workAt } from "./step.ts";
import type { TestResult, Ticket } from "./ticket.ts";

/**
 * The command that continues a failed ticket if everything that it failed at is now ignored; null
 * otherwise.
 */
export function retryAfterOverride(
  ticket: Ticket,
  architecture: string,
): Remedy | null {
  const { failure, overrides, series } = ticket;
  if (ticket.step.code !== failedStep || failure === null) return null;
  const { command, triesPackage, needsImage } = workAt(
    failure.step.code as WorkStepCode,
  );
  const goOn = remedy("retry", [ticket.id], { from: command });
  if (ignoredStep(overrides, command) !== undefined) return goOn;
  if (failure.kind !== "package" || triesPackage !== true) return null;
  if (ignoredArchitecture(overrides, architecture) !== undefined) return goOn;
  if (needsImage !== true) return null;
  const sources = ticket.subtickets.map(({ source }) => source);
  const stillBad = sources.filter((source) => {
    const tests = ticket.tests
      .filter(({ package: of }) => of === source)
      .map(
        (test) =>
          ({ ...test, result: failing(test) ? "fail" : "pass" }) as const,
      );
    // A broken package has no failed test; the reason of the failure names it.
    const failed =
      tests.some(({ result }) => result === "fail") ||
      failure.reason.startsWith(`${source} `);
    const finding = {
      requirement: "tests",
      source,
      architecture,
      result: failed ? "fail" : "pass",
      reason: null,
    } as const;
    // How each test counts was judged when it ran.
    const judged = judge(
      defaultPolicy,
      { series, sources },
      finding,
      tests,
      overrides,
    );
    return decide(judged) !== "through";
  });
  return stillBad.length === 0 ? goOn : null;
}

/** Whether a test counts as failed, but for overrides. */
function failing({ result, state }: TestResult): boolean {
  return state === undefined ? result === "fail" : state !== "pass";
}
