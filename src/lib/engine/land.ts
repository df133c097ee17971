import { cancelledInWords } from "../domain/cancel.ts";
import {
  ExitCode,
  misconfigured,
  notNow,
  refused,
  UbuntuCiError,
} from "../domain/error.ts";
import type { StepCode, WorkStepCode } from "../domain/step.ts";
import { waysOn } from "../domain/set-aside.ts";
import { comesAfter, failedStep, workAt, workStep } from "../domain/step.ts";
import type { Ticket } from "../domain/ticket.ts";
import { readMaintenance } from "../locks/maintenance.ts";
import { nextTicket } from "../state/leases.ts";
import { listPpas } from "../state/ppas.ts";
import {
  isReady,
  nextToGoOn,
  nextToStart,
  blockersOf,
  ticketsInFlight,
} from "../state/queue.ts";
import { getTicket, listTickets, remedyOf } from "../state/tickets.ts";
import type { StepPlan } from "../steps/step-definition.ts";
import { cleanPpas } from "./clean-ppas.ts";
import type { Engine, RunListener, StepReport } from "./engine.ts";
import { cancelUnwantedJobs } from "./jobs.ts";
import {
  cancelledReport,
  foreseen,
  giveUpDeadRuns,
  planStep,
  runStep,
} from "./run-step.ts";
import { advice, remedy } from "../domain/remedy.ts";

export interface LandReport {
  readonly steps: readonly StepReport[];
  /** Maintenance began during the pass: tickets at work were landed, no others were started. */
  readonly heldBack: boolean;
  readonly exitCode: ExitCode;
}

/** The state of one landing pass. */
interface Pass {
  readonly reports: StepReport[];
  heldBack: boolean;
}

export interface LandOptions {
  readonly ticket?: number;
  /** The last step to run. */
  readonly until?: StepCode;
  readonly signal: AbortSignal;
  readonly listener?: RunListener;
}

/**
 * Runs all steps in turn: of one ticket, or of every ready ticket, up to `concurrency` at a time. PPAs
 * that were given back are emptied in between.
 *
 * @throws UbuntuCiError (2) when there is no such ticket, (75) when it may not start yet
 */
export async function land(
  engine: Engine,
  options: LandOptions,
): Promise<LandReport> {
  const pass: Pass = { reports: [], heldBack: false };
  await cleanPpas(engine);
  if (options.ticket !== undefined)
    await landOne(engine, options.ticket, options, pass);
  else await landAll(engine, options, pass);
  const { reports, heldBack } = pass;
  if (!heldBack) await cleanPpas(engine);
  return {
    steps: reports,
    heldBack,
    exitCode: worst([
      ...reports.map(({ exitCode }) => exitCode),
      ...(heldBack || options.signal.aborted ? [ExitCode.notNow] : []),
    ]),
  };
}

async function landAll(
  engine: Engine,
  options: LandOptions,
  pass: Pass,
): Promise<void> {
  await giveUpDeadRuns(engine);
  await cancelUnwantedJobs(engine);
  const concurrency = engine.config.get("concurrency");
  const tried = new Set<number>();
  const active = new Map<number, Promise<void>>();
  const troubles: unknown[] = [];
  const start = (ticket: number) => {
    tried.add(ticket);
    const landing = landOne(engine, ticket, options, pass)
      .then(() => (pass.heldBack ? undefined : cleanPpas(engine)))
      .then(
        () => undefined,
        (thrown: unknown) => void troubles.push(thrown),
      )
      .finally(() => active.delete(ticket));
    active.set(ticket, landing);
  };
  for (;;) {
    while (
      active.size < concurrency &&
      !options.signal.aborted &&
      !pass.heldBack &&
      troubles.length === 0
    ) {
      const next = nextToLand(engine, tried, active.size > 0, pass.reports);
      if (next === undefined) break;
      if (readMaintenance(engine.paths.maintenance) !== null)
        pass.heldBack = true;
      else start(next);
    }
    if (active.size === 0) break;
    await Promise.race(active.values());
  }
  if (troubles.length > 0) throw troubles[0];
}

/**
 * Tickets in flight come before new ones; `takeLease` decides whether a new one may start. While no PPA
 * is free, a new ticket is only tried when nothing here can free one: it then reports what it waits for.
 */
function nextToLand(
  { db, config }: Engine,
  tried: ReadonlySet<number>,
  othersAtWork: boolean,
  reports: readonly StepReport[],
): number | undefined {
  const inFlight = nextToGoOn(db, tried);
  if (inFlight !== undefined) return inFlight;
  const free = listPpas(db).some(({ state }) => state === "free");
  const waits = reports.some(
    ({ step, waiting }) => waiting && workAt(step).reservesPpa === true,
  );
  if (!free && (othersAtWork || waits)) return undefined;
  return nextToStart(db, config.get("concurrency"), tried);
}

async function landOne(
  engine: Engine,
  id: number,
  options: LandOptions,
  { reports }: Pass,
): Promise<void> {
  for (;;) {
    const ticket = getTicket(engine.db, id);
    const code = stepToRun(ticket, options.until);
    if (code === undefined) {
      const failed = endedUnlanded(ticket);
      if (failed !== undefined && !reports.some((one) => one.ticket === id))
        throw failed;
      const last = reports.findLast((report) => report.ticket === id);
      // Another process cancelled it between two of its steps.
      if (ticket.cancelled !== null && last?.outcome === "passed") {
        const report = cancelledReport(engine, id, last.step);
        reports.push(report);
        options.listener?.ended?.(report);
      }
      return;
    }
    const report = await runStep(engine, code, { ...options, ticket: id });
    if (report === undefined) {
      const why = whyNot(engine, ticket);
      // Another process took the ticket first. That is only an error when it was asked for by name.
      if (options.ticket === undefined) return;
      throw why;
    }
    reports.push(report);
    options.listener?.ended?.(report);
    if (report.outcome !== "passed" || options.signal.aborted) return;
  }
}

function stepToRun(
  ticket: Ticket,
  until: StepCode | undefined,
): WorkStepCode | undefined {
  const step = workStep(ticket.step.code);
  const last = until === undefined ? undefined : workStep(until);
  return step === undefined ||
    (last !== undefined && comesAfter(step.code, last.code))
    ? undefined
    : step.code;
}

/**
 * Plans the next step of each ticket that landing would work on, or of one: those in flight first, then
 * the queue. The PPA of a ticket that has to wait for others is not known yet.
 *
 * @throws as `land` does
 */
export async function planLand(
  engine: Engine,
  options: Pick<LandOptions, "ticket" | "until">,
): Promise<StepPlan[]> {
  const next = foreseen(engine, (seen) => nextToPlan(seen, options));
  const plans: StepPlan[] = [];
  for (const { ticket, step, ppa } of next)
    plans.push(await planStep(engine, step, ticket, ppa));
  return plans;
}

function nextToPlan(
  engine: Engine,
  { ticket: id, until }: Pick<LandOptions, "ticket" | "until">,
): { ticket: Ticket; step: WorkStepCode; ppa: string | null }[] {
  const { db, config } = engine;
  const concurrency = config.get("concurrency");
  const inFlight = ticketsInFlight(db);
  // Landing starts by emptying the PPAs that were given back.
  const free = listPpas(db)
    .filter(({ state }) => state !== "reserved")
    .slice(0, Math.max(0, concurrency - inFlight.length));
  const candidates =
    id === undefined
      ? listTickets(db, { open: true })
      : [getTicket(engine.db, id)];
  return candidates
    .sort(
      (one, other) =>
        other.step.code - one.step.code ||
        other.priority - one.priority ||
        one.id - other.id,
    )
    .flatMap((ticket) => {
      const step = stepToRun(ticket, until);
      const failed = id === undefined ? undefined : endedUnlanded(ticket);
      if (failed !== undefined) throw failed;
      if (step === undefined) return [];
      const ready =
        id === undefined
          ? isReady(db, ticket.id, step)
          : nextTicket(db, step, { ticket: id, concurrency }) !== undefined;
      if (!ready && id !== undefined) throw whyNot(engine, ticket);
      if (!ready) return [];
      const starts =
        ticket.ppa === null &&
        blockersOf(db, ticket.id, concurrency).length === 0;
      const ppa = ticket.ppa ?? (starts ? free.shift()?.name : undefined);
      return [{ ticket, step, ppa: ppa ?? null }];
    });
}

/** The error (1) that a ticket asked for by name has ended without landing; undefined when it has not. */
export function endedUnlanded(ticket: Ticket): UbuntuCiError | undefined {
  const { id, step, failure, cancelled } = ticket;
  if (step.code !== failedStep) return undefined;
  const how =
    failure !== null
      ? `has failed at ${failure.step.name}: ${failure.reason}`
      : `was ${cancelled === null ? "ended" : cancelledInWords(cancelled)}`;
  return new UbuntuCiError(`ticket ${id} ${how}`, {
    exitCode: ExitCode.ticketFailed,
    hint: advice`${remedy("retry", [id])} queues it again; ${remedy("explain", [id])} says more`,
  });
}

/** Why a ticket asked for by name cannot be worked on now. */
export function whyNot({ db, config }: Engine, ticket: Ticket): Error {
  if (ticket.set_aside !== null) {
    const message = `ticket ${ticket.id} is set aside: ${ticket.waiting_for ?? ""}`;
    const way = waysOn(ticket, remedyOf(db, ticket.id));
    return ticket.set_aside === "approval"
      ? refused(message, way)
      : misconfigured(message, way);
  }
  if (ticket.status === "held" || ticket.status === "draft") {
    return refused(
      `ticket ${ticket.id} is ${ticket.status === "held" ? "held" : "a draft"}`,
      remedy("update_ticket", [ticket.id], { queue: true }),
    );
  }
  if (ticket.status === "running")
    return notNow(`another process works on ticket ${ticket.id}`);
  const blockers =
    workStep(ticket.step.code)?.reservesPpa === true
      ? blockersOf(db, ticket.id, config.get("concurrency"))
      : [];
  if (blockers.length > 0) {
    return notNow(
      `ticket ${ticket.id} waits behind ticket ${blockers.map(({ id }) => id).join(", ")}`,
      "it starts when that has ended",
    );
  }
  return notNow(
    `ticket ${ticket.id} is not ready${ticket.waiting_for === null ? "" : `: ${ticket.waiting_for}`}`,
  );
}

function worst(codes: readonly ExitCode[]): ExitCode {
  const order = [
    ExitCode.bug,
    ExitCode.misconfigured,
    ExitCode.refused,
    ExitCode.notNow,
    ExitCode.ticketFailed,
  ];
  return order.find((code) => codes.includes(code)) ?? ExitCode.ok;
}
