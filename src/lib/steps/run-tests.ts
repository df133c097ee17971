import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import type { TestRunResult } from "../backends/tester/tester.ts";
import { ignoring } from "../domain/override.ts";
import type { Finding } from "../domain/policy.ts";
import type { TestVerdict } from "../domain/policy-verdict.ts";
import { verdictOnTests } from "../domain/policy-verdict.ts";
import type { TestResult } from "../domain/ticket.ts";
import type {
  StepDefinition,
  StepFile,
  StepInput,
  StepPlan,
  TicketSource,
} from "./step-definition.ts";
import { readExitCode } from "../results/autopkgtest.ts";
import { findingOf, judgedOf, partOf, ppaOf } from "./step-definition.ts";

/** Runs the autopkgtests of each source package of the ticket on its image. All must pass. */
export const runTests: StepDefinition<StepPlan> = {
  plan: ({ ticket, sources }) =>
    Promise.resolve({
      ticket: ticket.id,
      command: "run-tests",
      actions: sources.map(
        ({ source, version }) =>
          `run the autopkgtests of ${source} ${version} on the ticket's image`,
      ),
    }),

  async execute(_plan, input, backends, work) {
    const { ticket, sources, image } = input;
    if (image === null)
      throw new RangeError(`ticket ${ticket.id} has no image`);
    const pool = await backends.pool();
    const archive = await backends.archive();
    const repositories = [
      await pool.repository(ppaOf(ticket), ticket.series),
      await archive.repository(ticket.series),
    ];
    const tester = await backends.tester();
    const ended: {
      source: TicketSource;
      result: Omit<TestRunResult, "outcome"> & TestVerdict;
    }[] = [];
    const findings: Finding[] = [];
    for (const source of sources) {
      const scratch = join(work.scratch, `test-${source.subticket}`);
      await mkdir(scratch, { recursive: true });
      work.note(`testing ${source.source} ${source.version}`);
      const result = await tester.test(
        { ...source, series: ticket.series, image, repositories },
        partOf(work, scratch),
      );
      const finding = foundOf(source, input, result);
      findings.push(finding);
      const judged = verdictOnTests(
        input.policy,
        judgedOf(input),
        finding,
        result.tests,
        ticket.overrides,
      );
      ended.push({ source, result: { ...result, ...judged } });
    }
    const files = ended.flatMap(({ source, result }) =>
      filesOf(source, result),
    );
    const tests: TestResult[] = ended.flatMap(({ result }) => [
      ...result.tests,
    ]);
    const stages: Record<string, number> = {};
    for (const { result } of ended) {
      for (const [stage, ms] of Object.entries(result.stages))
        stages[stage] = (stages[stage] ?? 0) + ms;
    }
    const bad =
      ended.find(({ result }) => result.outcome === "failed") ??
      ended.find(({ result }) => result.outcome === "tmpfail") ??
      ended.find(({ result }) => result.outcome === "missing");
    if (bad === undefined) {
      const ignored = ended.flatMap(({ result }) => result.reason ?? []);
      const reason = ignored.length === 0 ? null : ignored.join("; ");
      return { outcome: "passed", reason, files, tests, stages, findings };
    }
    const { outcome } = bad.result;
    return {
      // Nothing has failed, so that it is no verdict on the package.
      outcome: outcome === "missing" ? "tmpfail" : outcome,
      ...(outcome === "missing" && {
        needs: ignoring(ticket, "test", bad.source.source),
      }),
      findings,
      reason: `${bad.source.source} ${bad.source.version}: ${bad.result.reason ?? "its tests did not pass"}`,
      evidence: bad.result.log?.name ?? null,
      files,
      tests,
      stages,
    };
  },
};

/** What the tests of a source package came to, before the policy is asked. */
function foundOf(
  { source }: TicketSource,
  input: StepInput,
  result: TestRunResult,
): Finding {
  const found = findingOf("tests", source, input, result);
  if (result.outcome !== "passed") return found;
  const shown = readExitCode(result.exitCode ?? undefined).result;
  return { ...found, result: shown ?? "pass", reason: result.reason };
}

function filesOf(
  source: TicketSource,
  result: Pick<TestRunResult, "log" | "output">,
): StepFile[] {
  const files: StepFile[] = [];
  const place = {
    subticket: source.subticket,
    component: "test-runner",
  } as const;
  if (result.log !== null)
    files.push({ ...result.log, type: "LOGS", ...place });
  if (result.output !== null)
    files.push({ ...result.output, type: "RESULTS", ...place });
  return files;
}
