import { inForceAt, passedOver } from "./override.ts";
import type { Decision, Finding, Judgement, Policy } from "./policy.ts";
import { decide, judge, requirements } from "./policy.ts";
import type { Requirement } from "./policy.ts";
import type { WorkStepCode } from "./step.ts";
import { imageStep, packagesStep, testsStep } from "./step.ts";
import type { Outcome, Override, TestResult } from "./ticket.ts";

/** The step that finds out about each requirement. */
export const stepOfRequirement: Readonly<Record<Requirement, WorkStepCode>> = {
  built: packagesStep,
  image: imageStep,
  tests: testsStep,
};

/** An attempt at a step, with what it found. */
export interface RecordedRun {
  readonly id: number;
  readonly outcome: Outcome | null;
  readonly reason: string | null;
  /** ISO 8601 UTC. */
  readonly started_at: string;
  /** Empty of runs from before findings were recorded, and of those that did not get so far. */
  readonly findings: readonly Finding[];
  readonly tests: readonly TestResult[];
}

/** What is on record of a ticket that policies decide about. */
export interface RecordedTicket {
  readonly id: number;
  readonly series: string;
  readonly sources: readonly {
    readonly source: string;
    readonly version: string;
  }[];
  readonly overrides: readonly Override[];
  readonly published: boolean;
  /** Whether it was set aside because something that is required is missing. */
  readonly lacking: boolean;
  /** The last run of the step of each requirement. */
  readonly runs: Readonly<Partial<Record<Requirement, RecordedRun>>>;
}

/** What a policy would decide about a ticket, and why. */
export interface RecordedDecision {
  readonly decision: Decision;
  readonly judgements: readonly Judgement[];
}

/**
 * What a policy would decide about a ticket by what is on record of it.
 *
 * @param architecture the one that this installation builds for, for runs that do not say
 */
export function decideRecorded(
  policy: Policy,
  ticket: RecordedTicket,
  architecture: string,
): RecordedDecision {
  const runs = freshRuns(ticket);
  const names = ticket.sources.map(({ source }) => source);
  const judged = { series: ticket.series, sources: names };
  let image = false;
  const judgements = requirements.flatMap((requirement) => {
    const run = runs[requirement];
    // The engine looks at the overrides when a run begins.
    const overrides =
      run === undefined ? [] : inForceAt(ticket.overrides, run.started_at);
    const over = passedOver(overrides, stepOfRequirement[requirement], {
      image,
      architecture,
    });
    const findings = findingsOf(
      ticket,
      requirement,
      run,
      over !== null,
      architecture,
    );
    if (requirement === "image")
      image = findings.some(({ result }) => result === "pass");
    const says = findings.flatMap((finding) =>
      judge(
        policy,
        judged,
        finding,
        run?.tests.filter((test) => test.package === finding.source) ?? [],
        overrides,
      ),
    );
    if (over === null || findings.some(({ result }) => result !== "missing"))
      return says;
    return says.map((one) => ({
      ...one,
      state: "waived" as const,
      because: over,
    }));
  });
  return { decision: decide(judgements), judgements };
}

/** What was decided about a ticket, whichever policy was in force. */
export function recordedDecision(ticket: RecordedTicket): Decision {
  if (ticket.published) return "through";
  const runs = freshRuns(ticket);
  const outcomes = requirements.map((one) => runs[one]?.outcome);
  if (ticket.lacking || outcomes.includes("failed")) return "stopped";
  return outcomes.every((outcome) => outcome === "passed")
    ? "through"
    : "undecided";
}

/** Why a ticket was stopped, as its run says; null when it was not. */
export function stoppedBecause(ticket: RecordedTicket): string | null {
  const runs = freshRuns(ticket);
  const stopped = requirements
    .map((one) => runs[one])
    .find(
      (run) =>
        run?.outcome === "failed" ||
        (ticket.lacking && run?.outcome === "tmpfail"),
    );
  return stopped?.reason ?? null;
}

/** The runs that say how a ticket is: one of before a step was done again says nothing any more. */
function freshRuns({ runs }: RecordedTicket): RecordedTicket["runs"] {
  const fresh: Partial<Record<Requirement, RecordedRun>> = {};
  let last = 0;
  for (const requirement of requirements) {
    const run = runs[requirement];
    if (run === undefined || run.id < last) continue;
    fresh[requirement] = run;
    last = run.id;
  }
  return fresh;
}

/** What was found of a requirement; where the run did not record it, what its outcome and its tests tell. */
function findingsOf(
  { sources }: RecordedTicket,
  requirement: Requirement,
  run: RecordedRun | undefined,
  isPassedOver: boolean,
  architecture: string,
): Finding[] {
  const subjects =
    requirement === "image" ? [{ source: "", version: "" }] : sources;
  return subjects.map(({ source, version }) => {
    const recorded = run?.findings.find((one) => one.source === source);
    if (recorded !== undefined) return recorded;
    const made = { requirement, source, architecture };
    if (run === undefined || run.findings.length > 0 || isPassedOver)
      return { ...made, result: "missing", reason: null };
    const isNamed = (one: (typeof sources)[number]) =>
      run.reason?.startsWith(`${one.source} ${one.version}: `) === true;
    const anyNamed = subjects.some(isNamed);
    const { outcome, reason } = run;
    if (outcome === null) return { ...made, result: "running", reason };
    if (outcome === "tmpfail")
      return { ...made, result: "infrastructure", reason };
    const tests = run.tests.filter((test) => test.package === source);
    const failed = tests.some(({ result }) => result === "fail");
    if (
      failed ||
      (outcome === "failed" && (!anyNamed || isNamed({ source, version })))
    )
      return { ...made, result: "fail", reason };
    // A run of long ago that passed may have been passed over, and one that failed may not have got so far.
    const told =
      requirement === "tests" ? tests.length > 0 : outcome === "passed";
    return { ...made, result: told ? "pass" : "missing", reason: null };
  });
}
