import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { cancelledInWords } from "../domain/cancel.ts";
import { ExitCode, troubleOfMachine } from "../domain/error.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import { passLimitMs } from "../domain/pending.ts";
import type { WorkStepCode } from "../domain/step.ts";
import { workAt } from "../domain/step.ts";
import { stepLimitMs } from "../domain/step-limit.ts";
import type { Ticket } from "../domain/ticket.ts";
import type { Config } from "../config/config.ts";
import { crashPoint } from "../files/crash-point.ts";
import { makeFolder } from "../files/make-folder.ts";
import { makeOwnFolder } from "../files/own-folder.ts";
import type { StatePaths } from "../host/paths.ts";
import { thisProcess } from "../files/process-identity.ts";
import { removeTree } from "../session/remove-tree.ts";
import { cancellationOf } from "../state/cancellation.ts";
import {
  isDead,
  nextTicket,
  openRuns,
  renewLease,
  takeLease,
  takeOverDeadLeases,
} from "../state/leases.ts";
import { ppaFor } from "../state/ppas.ts";
import { endRun, giveUpLease } from "../state/runs.ts";
import { findTicket } from "../state/tickets.ts";
import type { StepPlan } from "../steps/step-definition.ts";
import { requireDiskReserve } from "./disk-reserve.ts";
import type { Engine, RunListener, StepReport } from "./engine.ts";
import { cancelUnwantedJobs } from "./jobs.ts";
import { perform } from "./perform.ts";
import { tidyContainers } from "./results.ts";
import { planFor, stepInput } from "./step-input.ts";

const heartbeatMs = 30_000;

/** How often a run checks for cancellation; that costs one read by primary key. */
const cancelPollMs = 1000;

/** The retry policy of the configuration. */
export function retryPolicy(config: Config): RetryPolicy {
  return {
    limit: config.get("retry.limit"),
    firstDelaySeconds: config.get("retry.firstDelaySeconds"),
  };
}

/**
 * Works on one ticket at one step: chooses the oldest ready one (or takes the named one), leases it,
 * runs the step, and records the result in one transaction.
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
  await giveUpDeadRuns(engine);
  await cancelUnwantedJobs(engine);
  requireDiskReserve(engine, step);
  const lease = takeLease(db, step, thisProcess(), {
    concurrency: config.get("concurrency"),
    ...(options.ticket !== undefined && { ticket: options.ticket }),
  });
  if (lease === null) return undefined;
  crashPoint("lease.taken");
  const scratch = scratchOf(paths, lease.run);
  const lost = new AbortController();
  const cancel = new AbortController();
  const ticket = findTicket(db, lease.ticket);
  if (ticket === undefined)
    throw new RangeError(`ticket ${lease.ticket} is gone`);
  const limitMs = limitOf(config, step, ticket);
  const limit = AbortSignal.timeout(
    passLimitMs(limitMs, lease.job?.began_at ?? null, Date.now()),
  );
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
    await tidyContainers(engine, lease, end.artifacts);
    const recorded = endRun(db, actor, lease, policy, end);
    await cancelUnwantedJobs(engine);
    const report = { ticket: lease.ticket, step, cancelled: false };
    switch (recorded) {
      case "lost":
        return {
          ...report,
          outcome: "tmpfail",
          reason: "another process has taken over this run",
          waiting: true,
          exitCode: ExitCode.notNow,
        };
      case "cancelled":
        return cancelledReport(engine, lease.ticket, step);
      case "recorded":
        return {
          ...report,
          outcome: end.setAside === undefined ? end.outcome : "set-aside",
          reason: end.reason,
          waiting: end.waitFor !== undefined || end.outcome === "pending",
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
 * Calls `look` periodically during a run. A failure such as a full disk is tried again next time: one
 * missed heartbeat must not end hours of work.
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

/** Gives up the leases of dead processes: their tickets become ready, and their files are removed. */
export async function giveUpDeadRuns(engine: Engine): Promise<void> {
  const { db, actor, config, paths } = engine;
  for (const lease of takeOverDeadLeases(db)) {
    crashPoint("lease.taken-over");
    await tidyContainers(engine, lease);
    giveUpLease(db, actor, lease, retryPolicy(config));
    crashPoint("lease.given-up");
    await removeTree(scratchOf(paths, lease.run));
  }
}

/** The report on a cancelled run: its ticket has ended without landing. */
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

/** The ticket that a step would work on now: the named one if it is ready, else the next. */
export function nextToWorkOn(
  engine: Engine,
  step: WorkStepCode,
  ticket: number | undefined,
): Ticket | undefined {
  return foreseen(engine, ({ db, config }) => {
    const next = nextTicket(db, step, {
      concurrency: config.get("concurrency"),
      ...(ticket !== undefined && { ticket }),
    });
    return next === undefined ? undefined : findTicket(db, next);
  });
}

/** Evaluates `look` on the state as a run would find it, with dead leases given up, and rolls back. */
export function foreseen<T>(engine: Engine, look: (engine: Engine) => T): T {
  const { db, actor, config } = engine;
  if (!openRuns(db).some(isDead)) return look(engine);
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const lease of takeOverDeadLeases(db))
      giveUpLease(db, actor, lease, retryPolicy(config));
    return look(engine);
  } finally {
    // SQLite rolls back by itself on a full disk.
    if (db.inTransaction) db.exec("ROLLBACK");
  }
}

/** Plans a step of a ticket, with the PPA it would get; changes nothing. */
export async function planStep(
  engine: Engine,
  step: WorkStepCode,
  ticket: Ticket,
  ppa = workAt(step).reservesPpa === true
    ? ppaFor(engine.db, ticket.id)
    : ticket.ppa,
): Promise<StepPlan> {
  let folder: string | undefined;
  try {
    const input = await stepInput(engine, { ...ticket, ppa }, () => {
      makeFolder(engine.paths.scratch);
      return (folder ??= makeOwnFolder(engine.paths.scratch, "plan"));
    });
    return await planFor(step, input);
  } finally {
    if (folder !== undefined) await removeTree(folder);
  }
}

function scratchOf(paths: StatePaths, run: number): string {
  return join(paths.scratch, `run.${run}`);
}
