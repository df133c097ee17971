import { ExitCode, notNow, refused } from "../domain/error.ts";
import type { StepCode, WorkStepCode } from "../domain/step.ts";
import { stepCommands } from "../domain/step.ts";
import type { Ticket } from "../domain/ticket.ts";
import { startBlockers } from "../state/runs.ts";
import { findTicket, listTickets } from "../state/tickets.ts";
import { cleanPpas } from "./clean-ppas.ts";
import type { Engine, RunListener, StepReport } from "./engine.ts";
import { runStep } from "./engine.ts";

/** What landing came to. */
export interface LandReport {
  readonly steps: readonly StepReport[];
  readonly exitCode: ExitCode;
}

export interface LandOptions {
  readonly ticket?: number;
  /** The last step to run. */
  readonly until?: StepCode;
  readonly signal: AbortSignal;
  readonly listener?: RunListener;
}

/**
 * Runs all steps in turn: of one ticket, or of every ready ticket, one after another. PPAs that were
 * given back are emptied on the way.
 *
 * @throws UbuntuCiError (2) when there is no such ticket, (75) when that ticket may not start yet
 */
export async function land(
  engine: Engine,
  options: LandOptions,
): Promise<LandReport> {
  const reports: StepReport[] = [];
  await cleanPpas(engine);
  if (options.ticket !== undefined) {
    await landOne(engine, options.ticket, options, reports);
  } else {
    const done = new Set<number>();
    for (
      let next = nextReady(engine, done);
      next !== undefined;
      next = nextReady(engine, done)
    ) {
      done.add(next);
      await landOne(engine, next, options, reports);
      if (options.signal.aborted) break;
      await cleanPpas(engine);
    }
  }
  await cleanPpas(engine);
  return { steps: reports, exitCode: worst(reports) };
}

/** Tickets in flight come before new ones, which `takeLease` keeps from starting too early. */
function nextReady(
  { db, paths, config }: Engine,
  done: ReadonlySet<number>,
): number | undefined {
  const ready = listTickets(db, { open: true }, paths.store).filter(
    ({ id, status, retry_at }) =>
      !done.has(id) &&
      status !== "held" &&
      (retry_at === null || Date.parse(retry_at) <= Date.now()),
  );
  const inFlight = ready.find(({ step }) => step.code > 100);
  if (inFlight !== undefined) return inFlight.id;
  return ready
    .sort((a, b) => b.priority - a.priority || a.id - b.id)
    .find(
      ({ id }) => startBlockers(db, id, config.get("concurrency")).length === 0,
    )?.id;
}

async function landOne(
  engine: Engine,
  id: number,
  options: LandOptions,
  reports: StepReport[],
): Promise<void> {
  for (;;) {
    const ticket = findTicket(engine.db, id, engine.paths.store);
    if (ticket === undefined)
      throw refused(
        `there is no ticket ${id}`,
        "`ubuntu-ci status` lists them",
      );
    const code = workStep(ticket, options.until);
    if (code === undefined) return;
    const report = await runStep(engine, code, { ...options, ticket: id });
    if (report === undefined) {
      const why = whyNot(engine, ticket);
      // Chosen by us and taken by another process meanwhile: no news. Asked for by name: say why not.
      if (options.ticket === undefined) return;
      throw why;
    }
    reports.push(report);
    if (report.outcome !== "passed") return;
  }
}

function workStep(
  ticket: Ticket,
  until: StepCode | undefined,
): WorkStepCode | undefined {
  const step = stepCommands.find(({ code }) => code === ticket.step.code);
  if (step === undefined || (until !== undefined && step.code > until))
    return undefined;
  return step.code;
}

/** Why a ticket that was asked for by name cannot be worked on now. */
export function whyNot({ db, config }: Engine, ticket: Ticket): Error {
  if (ticket.status === "held") {
    return refused(
      `ticket ${ticket.id} is held`,
      `ubuntu-ci update_ticket ${ticket.id} --queue`,
    );
  }
  if (ticket.status === "running")
    return notNow(`another process works on ticket ${ticket.id}`);
  const blockers =
    ticket.step.code === 100
      ? startBlockers(db, ticket.id, config.get("concurrency"))
      : [];
  if (blockers.length > 0) {
    return notNow(
      `ticket ${ticket.id} waits behind ticket ${blockers.join(", ")}`,
      "it starts when that has ended",
    );
  }
  return notNow(
    `ticket ${ticket.id} is not ready${ticket.waiting_for === null ? "" : `: ${ticket.waiting_for}`}`,
  );
}

function worst(reports: readonly StepReport[]): ExitCode {
  const codes = reports.map(({ exitCode }) => exitCode);
  const order = [
    ExitCode.bug,
    ExitCode.misconfigured,
    ExitCode.notNow,
    ExitCode.ticketFailed,
  ];
  return order.find((code) => codes.includes(code)) ?? ExitCode.ok;
}
