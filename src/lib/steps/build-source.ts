import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { binaryFile } from "../debian/package-file.ts";
import type {
  Builder,
  BuildResult,
  RemoteBuilder,
} from "../backends/builder/builder.ts";
import type { Pool } from "../backends/pool/pool.ts";
import type { JobId } from "../backends/remote.ts";
import type { AptRepository } from "../backends/apt-repository.ts";
import type { RunContext } from "../backends/run-context.ts";
import type { BuildOrder } from "../debian/build-order.ts";
import { buildOrderAmong, circleInWords } from "../debian/build-order.ts";
import { binariesOn, parseDsc } from "../debian/dsc.ts";
import type { Finding } from "../domain/policy.ts";
import { verdictOnWork } from "../domain/policy-verdict.ts";
import type {
  Done,
  StepContext,
  StepDefinition,
  StepFile,
  StepInput,
  StepPlan,
  StepResult,
  TicketSource,
} from "./step-definition.ts";
import { checkApprovals } from "./approvals.ts";
import { findingOf, judgedOf, partOf, ppaOf } from "./step-definition.ts";

interface BuildPlan extends StepPlan {
  readonly order: BuildOrder;
}

/** Builds every source package of the ticket into its PPA, in the order they need each other. */
export const buildSource: StepDefinition<BuildPlan> = {
  async plan({ ticket, sources, architecture, lookUp }) {
    const parsed = await Promise.all(
      sources.map(async ({ dsc }) => {
        const read = parseDsc(await readFile(dsc), dsc);
        return { ...read, binaries: binariesOn(read, architecture) };
      }),
    );
    const order = await buildOrderAmong(parsed, architecture, lookUp);
    const actions = order.waves.flatMap((wave) => [
      `build ${wave.map((name) => versioned(sources, name)).join(" and ")} for ${ticket.series}`,
      `publish the packages in ${ticket.ppa ?? "the ticket's PPA"}`,
    ]);
    for (const circle of order.circles)
      actions.push(`fail: ${circleInWords(circle)}`);
    return { ticket: ticket.id, command: "build-source", actions, order };
  },

  async execute({ order }, input, backends, work) {
    const { ticket } = input;
    // Tickets are not created so, but what the archive had then may be gone.
    if (order.circles.length > 0)
      return {
        outcome: "failed",
        reason: `build dependencies go in a circle: ${order.circles.map(circleInWords).join("; ")}`,
        files: [],
      };
    await checkApprovals(input, backends);
    const pool = await backends.pool();
    const archive = await backends.archive();
    const builder = await backends.builder();
    // The PPA may hold packages of an interrupted attempt, which must not be built against.
    const repositories = [
      await pool.reset(ppaOf(ticket), ticket.series, work.signal),
      await archive.repository(ticket.series),
    ];
    if ("submit" in builder) {
      const waves = order.waves.map((wave) => named(input.sources, wave));
      const job = await work.submit(builder.name, (key) =>
        builder.submit(key, { series: ticket.series, waves, repositories }),
      );
      return lookAt(job, builder, input, pool, work);
    }
    const built = nothingBuilt();
    let left = order.waves.flat();
    for (let round = 1; left.length > 0; round += 1) {
      const wave = named(input.sources, readyOf(order, left));
      const results = await buildWave(
        wave,
        round,
        input,
        builder,
        repositories,
        work,
      );
      const unmet = results.filter(({ result }) => result.unmet === true);
      // A dependency that apt cannot install may come with what is still to be built.
      const isStuck = unmet.length === results.length;
      for (const { source, result } of isStuck ? [] : unmet)
        work.note(`${source.source} waits: ${result.reason ?? ""}`);
      const ended = isStuck
        ? await withChains(unmet, left, input, order)
        : results.filter((one) => !unmet.includes(one));
      const bad = await take(ended, built, input, pool, work);
      if (bad !== null) return bad;
      const done = new Set(ended.map(({ source }) => source.source));
      left = left.filter((name) => !done.has(name));
    }
    return passed(built);
  },

  async settle(input, backends, work) {
    const { job } = input;
    const builder = await backends.builder();
    if (job === null || !("submit" in builder) || builder.name !== job.remote)
      return null;
    const id = job.id ?? (await builder.find(job.key));
    return id === null
      ? null
      : lookAt(id, builder, input, await backends.pool(), work);
  },

  async cancelJob(job, backends) {
    const builder = await backends.builder();
    if (!("submit" in builder) || builder.name !== job.remote) return false;
    const id = job.id ?? (await builder.find(job.key));
    if (id !== null) await builder.cancel(id);
    return id !== null;
  },
};

/** Looks at the ticket's job, and takes its packages when it has ended. */
async function lookAt(
  job: JobId,
  builder: RemoteBuilder,
  input: StepInput,
  pool: Pool,
  work: RunContext,
): Promise<StepResult> {
  const found = await builder.look(job, work);
  if (found.outcome === "pending") return { ...found, job };
  // An interrupted run may have taken some of the packages already.
  await pool.reset(ppaOf(input.ticket), input.ticket.series, work.signal);
  const results = found.result.flatMap(({ source: name, result }) => {
    const source = input.sources.find((one) => one.source === name);
    return source === undefined ? [] : [{ source, result }];
  });
  const built = nothingBuilt();
  const bad = await take(results, built, input, pool, work);
  return { ...(bad ?? passed(built)), jobEnded: true };
}

interface SourceBuilt {
  readonly source: TicketSource;
  readonly result: BuildResult;
}

/** Build results of a ticket so far. */
interface Built {
  readonly files: StepFile[];
  readonly stages: Record<string, number>;
  readonly notes: string[];
  readonly findings: Finding[];
  base: string | null;
}

const nothingBuilt = (): Built => ({
  files: [],
  stages: {},
  notes: [],
  findings: [],
  base: null,
});

function passed({ notes, ...built }: Built): Done {
  const reason = notes.length === 0 ? null : notes.join("; ");
  return { outcome: "passed", reason, ...built };
}

/** Puts the built packages into the PPA. Returns the step's result when a build did not pass, else null. */
async function take(
  results: readonly SourceBuilt[],
  built: Built,
  input: StepInput,
  pool: Pool,
  { signal }: RunContext,
): Promise<Done | null> {
  const { ticket } = input;
  const { files, stages, findings } = built;
  for (const { source, result } of results) {
    built.base = result.base ?? built.base;
    if (result.log !== null)
      files.push({ ...result.log, type: "LOGS", subticket: source.subticket });
    for (const [stage, ms] of Object.entries(result.stages))
      stages[stage] = (stages[stage] ?? 0) + ms;
  }
  // A package failure takes precedence over infrastructure failures.
  const judged = results.map((one) => {
    const { outcome } = one.result;
    const reason = reasonOf(one);
    const found = { outcome, reason };
    const finding = findingOf("built", one.source.source, input, found);
    findings.push(finding);
    const of = judgedOf(input);
    return {
      ...verdictOnWork(input.policy, of, finding, ticket.overrides),
      reason,
      log: one.result.log,
    };
  });
  const bad =
    judged.find(({ outcome }) => outcome === "failed") ??
    judged.find(({ outcome }) => outcome === "tmpfail");
  if (bad !== undefined)
    return {
      outcome: bad.outcome,
      reason: bad.reason,
      evidence: bad.log?.name ?? null,
      files,
      base: built.base,
      stages,
      findings,
    };
  built.notes.push(...judged.flatMap(({ overruled }) => overruled ?? []));
  const made = results.flatMap(({ source, result }) =>
    result.files.map((file): StepFile => ({
      ...file,
      type: "RESULTS",
      subticket: source.subticket,
    })),
  );
  files.push(...made);
  const started = performance.now();
  const packages = made
    .filter(({ name }) => binaryFile.test(name))
    .map(({ path }) => path);
  const sources = results.map(({ source }) => source.dsc);
  await pool.add(
    ppaOf(ticket),
    ticket.series,
    [...sources, ...packages],
    signal,
  );
  stages["ppa"] = (stages["ppa"] ?? 0) + (performance.now() - started);
  return null;
}

function reasonOf({ source, result }: SourceBuilt): string {
  return `${source.source} ${source.version}: ${result.reason ?? "the build did not pass"}`;
}

async function buildWave(
  wave: readonly TicketSource[],
  round: number,
  { ticket, config }: StepInput,
  builder: Builder,
  repositories: readonly AptRepository[],
  work: StepContext,
): Promise<SourceBuilt[]> {
  const queue = [...wave];
  const results: SourceBuilt[] = [];
  // When one build throws, the others are stopped before their scratch folders are removed.
  const thrown = new AbortController();
  const signal = AbortSignal.any([work.signal, thrown.signal]);
  const worker = async () => {
    for (
      let source = queue.shift();
      source !== undefined && !thrown.signal.aborted;
      source = queue.shift()
    ) {
      const scratch = join(work.scratch, `build-${source.subticket}-${round}`);
      await mkdir(scratch, { recursive: true });
      work.note(`building ${source.source} ${source.version}`);
      work.workingOn(source.subticket, true);
      const result = await builder.build(
        { ...source, series: ticket.series, repositories },
        partOf({ ...work, signal }, scratch),
      );
      work.workingOn(source.subticket, false);
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
  // In the order of the wave, whichever ended first: the reason that is told must not depend on that.
  return wave.flatMap(
    (source) => results.find((result) => result.source === source) ?? [],
  );
}

/**
 * Results that say who waits for what, where nothing can be built any more because apt cannot install
 * what the builds need.
 */
async function withChains(
  unmet: readonly SourceBuilt[],
  left: readonly string[],
  { sources, architecture }: StepInput,
  { needs }: BuildOrder,
): Promise<SourceBuilt[]> {
  const builtBy = new Map<string, string>();
  for (const { source, dsc } of named(sources, left))
    for (const binary of binariesOn(
      parseDsc(await readFile(dsc), dsc),
      architecture,
    ))
      builtBy.set(binary, source);
  const waiting = new Set(left);
  const behind = left.flatMap((name) => {
    const others = needs.get(name)?.filter((other) => waiting.has(other)) ?? [];
    return others.length === 0
      ? []
      : [`${name} waits for ${others.join(", ")}`];
  });
  const reasons = unmet.map(({ source, result }) => {
    const reason = result.reason ?? "its build dependencies are unmet";
    const of = new Set(
      (reason.match(/[a-z0-9][a-z0-9+.-]+/g) ?? []).flatMap(
        (word) => builtBy.get(word) ?? [],
      ),
    );
    of.delete(source.source);
    return of.size === 0
      ? reason
      : `waits for ${[...of].join(", ")}: ${reason}`;
  });
  const more = [
    ...unmet
      .slice(1)
      .map(
        ({ source }, index) => `${source.source}: ${reasons[index + 1] ?? ""}`,
      ),
    ...behind,
  ];
  return unmet.map((one, index) => ({
    ...one,
    result: {
      ...one.result,
      reason:
        index === 0
          ? [reasons[0], ...more].join("; ")
          : (reasons[index] ?? null),
    },
  }));
}

/**
 * Those of what is left that wait for none of the others.
 *
 * @throws RangeError when there are none, as in a circle
 */
function readyOf({ needs }: BuildOrder, left: readonly string[]): string[] {
  const waiting = new Set(left);
  const ready = left.filter((name) =>
    needs.get(name)?.every((other) => !waiting.has(other)),
  );
  if (ready.length === 0)
    throw new RangeError(`nothing of ${left.join(", ")} can be built`);
  return ready;
}

function named(
  sources: readonly TicketSource[],
  names: readonly string[],
): TicketSource[] {
  return names.flatMap(
    (name) => sources.find(({ source }) => source === name) ?? [],
  );
}

function versioned(sources: readonly TicketSource[], name: string): string {
  return `${name} ${sources.find(({ source }) => source === name)?.version ?? ""}`.trim();
}
