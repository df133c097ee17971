import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { cancelledInWords } from "../domain/cancel.ts";
import { containerName } from "../backends/store/store.ts";
import type { Store } from "../backends/store/store.ts";
import type { Work } from "../backends/work.ts";
import {
  ExitCode,
  messageOf,
  troubleOfMachine,
  UbuntuCiError,
  notNow,
} from "../domain/error.ts";
import { passedOver } from "../domain/override.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import type { StepCode, WorkStepCode } from "../domain/step.ts";
import { nextStep, stepCommands } from "../domain/step.ts";
import { stepLimitMs } from "../domain/step-limit.ts";
import type { Outcome, Progress, Ticket } from "../domain/ticket.ts";
import { machineArchitecture } from "../host/architecture.ts";
import { now } from "../host/clock.ts";
import type { Config } from "../host/config.ts";
import { crashPoint } from "../host/crash-point.ts";
import type { StatePaths } from "../host/paths.ts";
import { thisProcess } from "../host/process-identity.ts";
import { removeTree } from "../host/session/remove-tree.ts";
import type { Connection } from "../state/database.ts";
import { listPpas, ppaFor } from "../state/ppas.ts";
import type { Lease, RunEnd, TidyFiles } from "../state/runs.ts";
import {
  cancellationOf,
  endRun,
  forgetArtifacts,
  giveUpDeadLeases,
  nextTicket,
  imageOf,
  recordStart,
  renewLease,
  reserveForLease,
  takeLease,
} from "../state/runs.ts";
import type { NewArtifact } from "../state/artifacts.ts";
import { findTicket } from "../state/tickets.ts";
import { assignPpa } from "../steps/assign-ppa.ts";
import { buildImage } from "../steps/build-image.ts";
import { buildSource } from "../steps/build-source.ts";
import { publish, publishedRevision } from "../steps/publish.ts";
import { runTests } from "../steps/run-tests.ts";
import type {
  StepBackends,
  StepDefinition,
  StepFile,
  StepInput,
  StepPlan,
  StepResult,
} from "../steps/step-work.ts";

/** What the engine works with: the state, where things are, and what does the heavy work. */
export interface Engine {
  readonly db: Connection;
  readonly paths: StatePaths;
  readonly config: Config;
  /** Who acts, for the history: `user@host`. */
  readonly actor: string;
  readonly store: Store;
  readonly backends: StepBackends;
}

/** What a caller sees of a run while it goes on. */
export interface RunListener {
  started?(ticket: Ticket, command: string): void;
  /** What the run is about to execute: just what `--dry-run` would have printed. */
  planned?(plan: StepPlan): void;
  progress?(ticket: number, progress: Progress): void;
  note?(ticket: number, line: string): void;
  ended?(report: StepReport): void;
}

/** How one run of one step ended, as recorded. */
export interface StepReport {
  readonly ticket: number;
  readonly step: WorkStepCode;
  readonly outcome: Outcome;
  readonly reason: string | null;
  /** The ticket now waits for something; no attempt was used up. */
  readonly waiting: boolean;
  /** Somebody cancelled the ticket meanwhile; it has ended. */
  readonly cancelled: boolean;
  /** Exit code that tells the caller apart what to do: 75 try later, 78 something has to be installed. */
  readonly exitCode: ExitCode;
}

const heartbeatMs = 30_000;
/** How often a run looks whether its ticket was cancelled: one read by key of an open file. */
const cancelPollMs = 1000;

const definitions: {
  readonly [Code in WorkStepCode]: StepDefinition<StepPlan>;
} = {
  100: assignPpa,
  200: buildSource,
  300: buildImage,
  400: runTests,
  500: publish,
};

/** The retry policy of the configuration. */
export function retryPolicy(config: Config): RetryPolicy {
  return {
    limit: config.get("retry.limit"),
    firstDelaySeconds: config.get("retry.firstDelaySeconds"),
  };
}

/**
 * Works on one ticket at one step: chooses the oldest ready one (or takes that very ticket), leases
 * it, runs the step, records what came of it in one transaction.
 *
 * @returns undefined when nothing is ready
 */
export async function runStep(
  engine: Engine,
  step: WorkStepCode,
  options: {
    readonly ticket?: number;
    readonly signal: AbortSignal;
    readonly listener?: RunListener;
  },
): Promise<StepReport | undefined> {
  const { db, config, actor, paths } = engine;
  const policy = retryPolicy(config);
  const tidy = tidyStore(engine.store);
  await giveUpDeadRuns(engine);
  const lease = takeLease(db, step, thisProcess(), {
    concurrency: config.get("concurrency"),
    ...(options.ticket !== undefined && { ticket: options.ticket }),
  });
  if (lease === null) return undefined;
  crashPoint("lease.taken");
  const scratch = scratchOf(paths, lease.run);
  const lost = new AbortController();
  const cancel = new AbortController();
  const ticket = findTicket(db, lease.ticket, paths.store);
  if (ticket === undefined)
    throw new RangeError(`ticket ${lease.ticket} is gone`);
  const limitMs = limitOf(config, step, ticket);
  const limit = AbortSignal.timeout(limitMs);
  const signal = AbortSignal.any([
    options.signal,
    lost.signal,
    cancel.signal,
    limit,
  ]);
  const heartbeat = repeat(heartbeatMs, () => {
    if (!renewLease(db, lease.run)) lost.abort();
  });
  const cancelPoll = repeat(cancelPollMs, () => {
    if (cancellationOf(db, lease.ticket) !== null) cancel.abort();
  });
  try {
    await mkdir(scratch, { recursive: true });
    const { end, exitCode } = await perform(
      engine,
      lease,
      { scratch, signal, limit, limitMs },
      options.listener,
    );
    const next = stepAfter(step, ticket);
    const recorded = endRun(db, actor, lease, next, policy, tidy, end);
    const report = { ticket: lease.ticket, step, cancelled: false };
    switch (recorded) {
      case "lost":
        return {
          ...report,
          outcome: "tmpfail",
          reason: "the lease was lost",
          waiting: true,
          exitCode: ExitCode.notNow,
        };
      case "cancelled":
        return cancelledReport(engine, lease.ticket, step);
      case "recorded":
        return {
          ...report,
          outcome: end.outcome,
          reason: end.reason,
          waiting: end.waitFor !== undefined,
          exitCode,
        };
    }
  } finally {
    clearInterval(heartbeat);
    clearInterval(cancelPoll);
    crashPoint("run.ended");
    await removeTree(scratch);
  }
}

/**
 * Looks after a run while it works. What the machine does not let happen now (the disk is full for a
 * while) is tried again next time: hours of work must not end for one missed heartbeat.
 */
function repeat(everyMs: number, look: () => void): NodeJS.Timeout {
  return setInterval(() => {
    try {
      look();
    } catch (thrown) {
      if (troubleOfMachine(thrown) === undefined) throw thrown;
    }
  }, everyMs);
}

/** Makes tickets ready again whose process is gone, and removes what those processes worked on. */
export async function giveUpDeadRuns({
  db,
  actor,
  config,
  paths,
  store,
}: Engine): Promise<void> {
  const policy = retryPolicy(config);
  for (const run of giveUpDeadLeases(db, actor, policy, tidyStore(store))) {
    crashPoint("lease.given-up");
    await removeTree(scratchOf(paths, run));
  }
}

/** How a run that was cancelled is told of: the ticket has ended without landing. */
export function cancelledReport(
  { db }: Pick<Engine, "db">,
  ticket: number,
  step: WorkStepCode,
): StepReport {
  const cancelled = cancellationOf(db, ticket);
  return {
    ticket,
    step,
    outcome: "tmpfail",
    reason: cancelled === null ? null : cancelledInWords(cancelled),
    waiting: false,
    cancelled: true,
    exitCode: ExitCode.ticketFailed,
  };
}

function limitOf(config: Config, step: WorkStepCode, ticket: Ticket): number {
  return stepLimitMs(step, ticket.subtickets.length, {
    ppa: config.get("ppa.timeoutMinutes"),
    build: config.get("build.timeoutMinutes"),
    image: config.get("image.timeoutMinutes"),
    test: config.get("test.timeoutMinutes"),
    publish: config.get("publish.timeoutMinutes"),
  });
}

/** A ticket that is tried again goes on where it was asked to, once it has a PPA. */
function stepAfter(step: WorkStepCode, ticket: Ticket): StepCode {
  return step === 100 && ticket.resume_step !== null
    ? (Math.max(ticket.resume_step.code, 200) as StepCode)
    : nextStep(step);
}

/** The ticket that a step would work on now: the one named, if it is ready, else the next. */
export function nextToWorkOn(
  { db, config, paths }: Engine,
  step: WorkStepCode,
  ticket: number | undefined,
): Ticket | undefined {
  const next = nextTicket(db, step, {
    concurrency: config.get("concurrency"),
    ...(ticket !== undefined && { ticket }),
  });
  return next === undefined ? undefined : findTicket(db, next, paths.store);
}

/** What a step would do to that ticket now, changing nothing. */
export async function planStep(
  engine: Engine,
  step: WorkStepCode,
  ticket: Ticket,
): Promise<StepPlan> {
  const ppa = step === 100 ? ppaFor(engine.db, ticket.id) : ticket.ppa;
  return planFor(step, stepInput(engine, { ...ticket, ppa }));
}

async function planFor(
  step: WorkStepCode,
  input: StepInput,
): Promise<StepPlan> {
  const over = passOver(step, input);
  if (over === null) return definitions[step].plan(input);
  return {
    ticket: input.ticket.id,
    command: commandOf(step),
    actions: [`pass over it: ${over}`],
  };
}

/** Keeps of a ticket's containers what is recorded. */
function tidyStore(store: Store): TidyFiles {
  return (ticket, recorded) => {
    const own = `ticket.${ticket}`;
    for (const container of [own, containerName(own, "test-runner")]) {
      const mine = recorded.filter((file) => file.container === container);
      store.keepOnly(container, new Set(mine.map(({ name }) => name)));
    }
  };
}

function scratchOf(paths: StatePaths, run: number): string {
  return join(paths.scratch, `run.${run}`);
}

function passOver(
  step: WorkStepCode,
  { ticket, image, architecture }: StepInput,
): string | null {
  return passedOver(ticket.overrides, step, {
    image: image !== null,
    architecture,
  });
}

function commandOf(step: WorkStepCode): string {
  return stepCommands.find(({ code }) => code === step)?.command ?? "";
}

interface Performed {
  readonly end: RunEnd;
  readonly exitCode: ExitCode;
}

async function perform(
  engine: Engine,
  lease: Lease,
  place: {
    readonly scratch: string;
    readonly signal: AbortSignal;
    readonly limit: AbortSignal;
    readonly limitMs: number;
  },
  listener: RunListener = {},
): Promise<Performed> {
  const { db, paths, actor } = engine;
  if (lease.step === 100 && reserveForLease(db, lease, actor) === null) {
    const reason = poolInWords(db);
    return {
      end: { outcome: "tmpfail", reason, waitFor: reason },
      exitCode: ExitCode.notNow,
    };
  }
  const ticket = findTicket(db, lease.ticket, paths.store);
  if (ticket === undefined)
    throw new RangeError(`ticket ${lease.ticket} is gone`);
  if (ticket.cancelled !== null) return ended(engine, lease, ticket, place);
  const { tmpfails, step } = lease;
  if (step === 500 && tmpfails > engine.config.get("retry.limit"))
    return lookUpPublication(engine, ticket);
  recordStart(db, actor, lease);
  listener.started?.(ticket, commandOf(lease.step));
  const work: Work = {
    scratch: place.scratch,
    signal: place.signal,
    progress(update) {
      const progress = { ...update, at: now() };
      renewLease(db, lease.run, progress);
      listener.progress?.(ticket.id, progress);
    },
    note: (line) => listener.note?.(ticket.id, line),
  };
  const input = stepInput(engine, ticket);
  try {
    const plan = await planFor(lease.step, input);
    listener.planned?.(plan);
    const over = passOver(lease.step, input);
    if (over !== null)
      return {
        end: { outcome: "passed", reason: over },
        exitCode: ExitCode.ok,
      };
    const result = await definitions[lease.step].execute(
      plan,
      input,
      engine.backends,
      work,
    );
    if (place.signal.aborted && result.outcome !== "passed")
      return await ended(engine, lease, ticket, place, result);
    return {
      end: await endOf(engine, lease, result),
      exitCode: exitCodeOf(result.outcome),
    };
  } catch (thrown) {
    if (place.signal.aborted) return await ended(engine, lease, ticket, place);
    return troubleOf(thrown);
  }
}

/** After the last retry: whether one of the attempts has published the ticket, though it did not say so. */
async function lookUpPublication(
  { backends }: Engine,
  { id, runs }: Ticket,
): Promise<Performed> {
  try {
    const archive = await backends.archive();
    const found = (await archive.revisions()).find(
      ({ ticket }) => ticket === id,
    );
    if (found === undefined) {
      const reason = runs.at(-2)?.reason ?? "it was not published";
      return {
        end: { outcome: "tmpfail", reason, unpublished: true },
        exitCode: ExitCode.notNow,
      };
    }
    const { revision, created_at } = found;
    return {
      end: {
        outcome: "passed",
        reason: `archive revision ${revision}`,
        published: { revision, created_at },
      },
      exitCode: ExitCode.ok,
    };
  } catch (thrown) {
    return troubleOf(thrown);
  }
}

/** What a run came to that was ended from outside: cancelled, its time limit, or we were asked to stop. */
async function ended(
  engine: Engine,
  lease: Lease,
  ticket: Ticket,
  { limit, limitMs }: { readonly limit: AbortSignal; readonly limitMs: number },
  result?: StepResult,
): Promise<Performed> {
  const cancelled = cancellationOf(engine.db, ticket.id);
  if (cancelled !== null && lease.step === 500) {
    const published = await publishedRevision(ticket, engine.backends);
    if (published !== null)
      return {
        end: {
          outcome: "passed",
          reason: `archive revision ${published.revision}, before it could be cancelled`,
          published,
        },
        exitCode: ExitCode.ok,
      };
  }
  if (cancelled === null && !limit.aborted) {
    const reason = "the run was interrupted";
    return {
      end: { outcome: "tmpfail", reason, waitFor: reason },
      exitCode: ExitCode.notNow,
    };
  }
  const logs = result?.files.filter(({ type }) => type === "LOGS") ?? [];
  const end = await endOf(engine, lease, {
    outcome: "tmpfail",
    reason:
      cancelled !== null
        ? cancelledInWords(cancelled)
        : `the step ran past its time limit of ${Math.round(limitMs / 60_000)} minutes`,
    evidence: result?.evidence ?? null,
    files: logs,
  });
  // It was cancelled, and the archive was looked into above.
  const unpublished = cancelled !== null && lease.step === 500;
  return { end: { ...end, unpublished }, exitCode: ExitCode.notNow };
}

/** An error is never the package's fault; one that needs a person costs the ticket no retry. */
function troubleOf(caught: unknown): Performed {
  const thrown = troubleOfMachine(caught) ?? caught;
  if (thrown instanceof UbuntuCiError) {
    const reason =
      thrown.hint === undefined
        ? thrown.message
        : `${thrown.message} (${thrown.hint})`;
    if (thrown.exitCode === ExitCode.misconfigured) {
      return {
        end: { outcome: "tmpfail", reason, waitFor: reason },
        exitCode: ExitCode.misconfigured,
      };
    }
    return { end: { outcome: "tmpfail", reason }, exitCode: ExitCode.notNow };
  }
  const where =
    thrown instanceof Error ? (thrown.stack?.split("\n")[1]?.trim() ?? "") : "";
  return {
    end: {
      outcome: "tmpfail",
      reason: `a bug of ubuntu-ci: ${messageOf(thrown)} ${where}`.trim(),
    },
    exitCode: ExitCode.bug,
  };
}

function exitCodeOf(outcome: Outcome): ExitCode {
  switch (outcome) {
    case "passed":
      return ExitCode.ok;
    case "failed":
      return ExitCode.ticketFailed;
    case "tmpfail":
      return ExitCode.notNow;
  }
}

function poolInWords(db: Connection): string {
  const ppas = listPpas(db);
  if (ppas.length === 0)
    return "no PPA is free: the pool is empty (`ubuntu-ci ppa populate` fills it)";
  const states = (["reserved", "dirty", "cleaning"] as const).flatMap(
    (state) => {
      const count = ppas.filter((ppa) => ppa.state === state).length;
      return count === 0 ? [] : `${count} ${state}`;
    },
  );
  return `no PPA is free: ${states.join(", ")}`;
}

function stepInput({ db, config }: Engine, ticket: Ticket): StepInput {
  const image = imageOf(db, ticket.id);
  return {
    ticket,
    config,
    architecture: machineArchitecture(),
    sources: ticket.subtickets.map(({ id, source, version }) => {
      const mine = ticket.artifacts.filter(
        ({ subticket, expired_at }) => subticket === id && expired_at === null,
      );
      const dsc = mine.find(
        ({ type, name }) => type === "SPU" && name.endsWith(".dsc"),
      );
      if (dsc === undefined)
        throw new RangeError(`ticket ${ticket.id} has no .dsc of ${source}`);
      const binaries = mine.filter(
        ({ type, name }) =>
          type === "RESULTS" && /\.(?:deb|udeb|ddeb)$/.test(name),
      );
      return {
        subticket: id,
        source,
        version,
        dsc: dsc.path,
        binaries: binaries.map(({ path }) => path),
      };
    }),
    image:
      image === null
        ? null
        : {
            layers: image.layers,
            digest: image.digest,
            manifest: JSON.parse(image.manifest) as [],
          },
  };
}

/** Puts the files of a result into the data store and turns it into what will be recorded. */
async function endOf(
  { store, db }: Engine,
  lease: Lease,
  result: StepResult,
): Promise<RunEnd> {
  const artifacts: NewArtifact[] = [];
  const names = new Map(
    result.files.map((file) => [file.name, keptName(file, lease.attempt)]),
  );
  if (!forgetArtifacts(db, lease, [...names.values()])) throw leaseLost();
  for (const file of result.files) {
    const container = containerName(`ticket.${lease.ticket}`, file.component);
    const name = keptName(file, lease.attempt);
    // Another process has the ticket now, and these names.
    if (!renewLease(db, lease.run)) throw leaseLost();
    const { size, sha256 } = await store.putFile(container, name, file.path, {
      move: true,
    });
    artifacts.push({
      name,
      type: file.type,
      container,
      size,
      sha256,
      subticket: file.subticket,
    });
  }
  crashPoint("run.files-stored");
  return {
    outcome: result.outcome,
    reason: result.reason,
    evidence:
      result.evidence == null ? null : (names.get(result.evidence) ?? null),
    artifacts,
    ...(result.tests !== undefined && { tests: result.tests }),
    ...(result.image !== undefined && {
      image: {
        layers: result.image.layers,
        digest: result.image.digest,
        manifest: JSON.stringify(result.image.manifest),
      },
    }),
    ...(result.base !== undefined && { base: result.base }),
    ...(result.published !== undefined && { published: result.published }),
    ...(result.stages !== undefined && { stages: result.stages }),
  };
}

const leaseLost = () => notNow("the lease was lost");

/** Logs of later attempts stand beside the first one's: what failed once should stay readable. */
function keptName(file: StepFile, attempt: number): string {
  if (file.type !== "LOGS" || attempt === 1) return file.name;
  return file.name.replace(/(\.log)?$/, `.attempt${attempt}$1`);
}
