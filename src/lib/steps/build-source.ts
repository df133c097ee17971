import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import type { BuildResult, Builder } from "../backends/builder/builder.ts";
import type { AptRepository } from "../backends/apt-repository.ts";
import type { RunContext } from "../backends/run-context.ts";
import { buildOrder } from "../debian/build-order.ts";
import { parseDsc } from "../debian/dsc.ts";
import { ignoredArchitecture, ignoredBecause } from "../domain/override.ts";
import type {
  StepDefinition,
  StepFile,
  StepInput,
  StepPlan,
  StepResult,
  TicketSource,
} from "./step-definition.ts";
import { partOf, ppaOf } from "./step-definition.ts";

interface BuildPlan extends StepPlan {
  /** Names of source packages that can be built side by side, wave after wave. */
  readonly waves: readonly (readonly string[])[];
}

/** Builds every source package of the ticket into its PPA, in the order they need each other. */
export const buildSource: StepDefinition<BuildPlan> = {
  async plan({ ticket, sources }) {
    const parsed = await Promise.all(
      sources.map(async ({ dsc }) => parseDsc(await readFile(dsc), dsc)),
    );
    const waves = buildOrder(parsed);
    const actions = waves.flatMap((wave) => [
      `build ${wave.map((name) => versioned(sources, name)).join(" and ")} for ${ticket.series}`,
      `publish the packages in ${ticket.ppa ?? "the ticket's PPA"}`,
    ]);
    return { ticket: ticket.id, command: "build-source", actions, waves };
  },

  async execute(plan, input, backends, work) {
    const { ticket } = input;
    const ppa = ppaOf(ticket);
    const pool = await backends.pool();
    const archive = await backends.archive();
    const builder = await backends.builder();
    // What an interrupted attempt left in the PPA must not be built against.
    const repositories = [
      await pool.reset(ppa, ticket.series, work.signal),
      await archive.repository(ticket.series),
    ];
    const files: StepFile[] = [];
    const stages: Record<string, number> = {};
    let base: string | null = null;
    const ignored = ignoredArchitecture(ticket.overrides, input.architecture);
    const notes: string[] = [];
    for (const wave of plan.waves) {
      const results = await buildWave(wave, input, builder, repositories, work);
      for (const { source, result } of results) {
        base = result.base ?? base;
        if (result.log !== null)
          files.push({
            ...result.log,
            type: "LOGS",
            subticket: source.subticket,
          });
        for (const [stage, ms] of Object.entries(result.stages))
          stages[stage] = (stages[stage] ?? 0) + ms;
      }
      // A package that is at fault decides over trouble of our own.
      const failed = results.filter(
        ({ result }) => result.outcome === "failed",
      );
      const bad =
        (ignored === undefined ? failed[0] : undefined) ??
        results.find(({ result }) => result.outcome === "tmpfail");
      if (bad !== undefined) {
        return {
          outcome: bad.result.outcome,
          reason: `${bad.source.source} ${bad.source.version}: ${bad.result.reason ?? "the build did not pass"}`,
          evidence: bad.result.log?.name ?? null,
          files,
          base,
          stages,
        } satisfies StepResult;
      }
      if (ignored !== undefined)
        notes.push(
          ...failed.map(
            ({ source, result }) =>
              `${source.source} ${source.version}: ${result.reason ?? "the build did not pass"}, ${ignoredBecause(ignored)}`,
          ),
        );
      const built = results.flatMap(({ source, result }) =>
        result.files.map((file): StepFile => ({
          ...file,
          type: "RESULTS",
          subticket: source.subticket,
        })),
      );
      files.push(...built);
      const started = performance.now();
      const packages = built
        .filter(({ name }) => /\.(?:deb|udeb|ddeb)$/.test(name))
        .map(({ path }) => path);
      const sources = results.map(({ source }) => source.dsc);
      await pool.add(
        ppa,
        ticket.series,
        [...sources, ...packages],
        work.signal,
      );
      stages["ppa"] = (stages["ppa"] ?? 0) + (performance.now() - started);
    }
    const reason = notes.length === 0 ? null : notes.join("; ");
    return { outcome: "passed", reason, files, base, stages };
  },
};

async function buildWave(
  wave: readonly string[],
  { ticket, sources, config }: StepInput,
  builder: Builder,
  repositories: readonly AptRepository[],
  work: RunContext,
): Promise<{ source: TicketSource; result: BuildResult }[]> {
  const queue = wave.flatMap(
    (name) => sources.find(({ source }) => source === name) ?? [],
  );
  const results: { source: TicketSource; result: BuildResult }[] = [];
  // When one throws, the others' scratch folders are about to go: they are ended first.
  const thrown = new AbortController();
  const signal = AbortSignal.any([work.signal, thrown.signal]);
  const worker = async () => {
    for (
      let source = queue.shift();
      source !== undefined && !thrown.signal.aborted;
      source = queue.shift()
    ) {
      const scratch = join(work.scratch, `build-${source.subticket}`);
      await mkdir(scratch, { recursive: true });
      work.note(`building ${source.source} ${source.version}`);
      const result = await builder.build(
        { ...source, series: ticket.series, repositories },
        partOf({ ...work, signal }, scratch),
      );
      results.push({ source, result });
    }
  };
  const side = Math.min(config.get("build.parallel"), queue.length);
  const workers = Array.from({ length: side }, () =>
    worker().catch((error: unknown) => {
      thrown.abort(error);
    }),
  );
  await Promise.all(workers);
  if (thrown.signal.aborted) throw thrown.signal.reason;
  return results;
}

function versioned(sources: readonly TicketSource[], name: string): string {
  return `${name} ${sources.find(({ source }) => source === name)?.version ?? ""}`.trim();
}
