import type { Finding, Judged, Judgement, Policy } from "./policy.ts";
import { judge } from "./policy.ts";
import type { Outcome, Override, TestResult } from "./ticket.ts";

/** What becomes of a step because of a build, or of an image. */
interface WorkVerdict {
  readonly outcome: Outcome;
  /** What did not pass and lets the ticket go on nevertheless, and why; null when that is not so. */
  readonly overruled: string | null;
}

/** Judges the build of a source package, or the image. */
export function verdictOnWork(
  policy: Policy,
  ticket: Judged,
  finding: Finding,
  overrides: readonly Override[],
): WorkVerdict {
  const [judgement] = judge(policy, ticket, finding, [], overrides);
  if (judgement?.state === "fail")
    return { outcome: "failed", overruled: null };
  if (finding.result === "infrastructure")
    return { outcome: "tmpfail", overruled: null };
  const overruled =
    finding.result === "pass"
      ? null
      : (judgement?.because ??
        `${finding.reason ?? finding.result}, which the policy does not require`);
  return { outcome: "passed", overruled };
}

/** What becomes of a step because of the tests of one source package. */
export interface TestVerdict {
  /** `missing`: nothing has failed, and what is required is not there. */
  readonly outcome: Outcome | "missing";
  readonly reason: string | null;
  /** The tests, each with how it counts. */
  readonly tests: readonly TestResult[];
}

/**
 * Judges the tests of a source package. A failed test that is ignored still shows as failed, with a note
 * in its detail. A tmpfail is kept wherever something is required: it is a failure of the infrastructure,
 * not a test result.
 */
export function verdictOnTests(
  policy: Policy,
  ticket: Judged,
  finding: Finding,
  tests: readonly TestResult[],
  overrides: readonly Override[],
): TestVerdict {
  const judgements = judge(policy, ticket, finding, tests, overrides);
  const of = (state: Judgement["state"]) =>
    judgements.filter((one) => one.state === state);
  const noted = tests.map((test) => withState(test, judgements));
  const [failed, infrastructure, missing] = [
    of("fail"),
    of("infrastructure"),
    of("missing"),
  ];
  if (failed.length > 0)
    return {
      outcome: "failed",
      reason: finding.result === "fail" ? finding.reason : inWords(failed),
      tests: noted,
    };
  if (infrastructure.length > 0)
    return { outcome: "tmpfail", reason: finding.reason, tests: noted };
  if (missing.length > 0)
    return { outcome: "missing", reason: inWords(missing), tests: noted };
  const waived = new Set(
    of("waived").map((one) => waivedInWords(finding, one)),
  );
  return {
    outcome: "passed",
    reason: waived.size > 0 ? [...waived].join(", ") : unneeded(finding),
    tests: noted,
  };
}

/** A test with how it counts, and why if it is waived. One that is not required holds nothing back. */
function withState(
  test: TestResult,
  judgements: readonly Judgement[],
): TestResult {
  const found = judgements.find(
    (one) => one.found === test.result && (one.test ?? "*") === test.name,
  );
  if (found?.state === "fail") return { ...test, state: "fail" };
  if (found?.state !== "waived") return { ...test, state: "pass" };
  const detail = test.detail === "" ? "" : `; ${test.detail}`;
  return { ...test, state: "waived", detail: `${found.because}${detail}` };
}

function waivedInWords(
  { source, reason }: Finding,
  { test, because }: Judgement,
): string {
  return test === null
    ? `${source}: ${reason ?? "failed"}, ${because}`
    : `${source}/${test} ${because}`;
}

/** What did not pass, and hinders nothing because the policy does not require it. */
function unneeded({ source, result, reason }: Finding): string | null {
  return result === "fail" || result === "infrastructure"
    ? `${source}: ${reason ?? result}, which the policy does not require`
    : reason;
}

function inWords(judgements: readonly Judgement[]): string {
  return judgements
    .map(({ test, because }) => `${test ?? "tests"}: ${because}`)
    .join(", ");
}
