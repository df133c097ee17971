import type { Step, StepCode } from "../../lib/domain/step.ts";
import { commandOf, publishStep, stepOf } from "../../lib/domain/step.ts";
import { countFirst } from "../../lib/domain/progress.ts";
import type {
  Engine,
  RunListener,
  StepReport,
} from "../../lib/engine/engine.ts";
import type { LandReport } from "../../lib/engine/land.ts";
import { land, planLand } from "../../lib/engine/land.ts";
import { oneLine, outputLine } from "../../lib/domain/shown-text.ts";
import { isTerminal } from "../../lib/host/output.ts";
import { findTicket } from "../../lib/state/tickets.ts";
import type { StepPlan } from "../../lib/steps/step-definition.ts";
import type { Result } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { stopInMaintenance } from "../../lib/upkeep/maintenance-guard.ts";
import { isGood, plainListener, reportLine, tellFailure } from "./run-text.ts";

export interface LandingOptions {
  readonly ticket?: number;
  readonly until?: Step;
}

/** Lands tickets: with live progress on a terminal, else in plain lines. */
export async function landTickets(
  context: CommandContext,
  options: LandingOptions,
): Promise<Result | undefined> {
  const engine = await context.engine();
  const plans: StepPlan[] = [];
  const run = (listener: RunListener) =>
    land(engine, {
      signal: context.signal,
      listener: { ...listener, planned: (plan) => plans.push(plan) },
      ...landOptions(options),
    });
  const live =
    isTerminal("stderr") &&
    isTerminal("stdout") &&
    context.options.verbosity === 2 &&
    context.options.json !== true;
  const concurrency = context.config.get("concurrency");
  const several = concurrency > 1 && options.ticket === undefined;
  const report = !live
    ? await run({
        ...plainListener(context),
        ended: (step) => tell(context, engine, step),
      })
    : several
      ? await landSeveralLive(
          run,
          concurrency,
          options.until?.code ?? publishStep,
        )
      : await landLive(run);
  if (live) {
    for (const step of report.steps)
      if (several || step.outcome !== "passed") tell(context, engine, step);
  }
  if (report.steps.length === 0 && !report.heldBack)
    context.say("land: nothing to do");
  const runs = report.steps.map((step) => ({
    ...step,
    step: stepOf(step.step),
  }));
  const result = { value: { plans, runs }, exitCode: report.exitCode };
  if (!report.heldBack) return result;
  // Maintenance ends the command with an error, but what was landed is printed first.
  context.result("", result.value);
  context.exit(result.exitCode);
  await stopInMaintenance(context.paths, context.actor, "land");
  return undefined;
}

const landOptions = ({ ticket, until }: LandingOptions) => ({
  ...(ticket !== undefined && { ticket }),
  ...(until !== undefined && { until: until.code }),
});

function tell(context: CommandContext, { db }: Engine, step: StepReport): void {
  const line = reportLine(step, commandOf(step.step));
  if (isGood(step)) context.say(line);
  else tellFailure(step, findTicket(db, step.ticket), line);
}

/** The plan of the next step of each open ticket. */
export async function planLandTickets(
  context: CommandContext,
  options: LandingOptions,
): Promise<StepPlan[]> {
  return planLand(await context.engine(), landOptions(options));
}

/** Shows one listr2 list per step, in sequence: the next step is only known once the last has ended. */
async function landLive(
  run: (listener: RunListener) => Promise<LandReport>,
): Promise<LandReport> {
  const { Listr } = await import("listr2");
  let shown: Promise<unknown> = Promise.resolve();
  let update: (text: string) => void = () => undefined;
  let end: (failed?: string) => void = () => undefined;
  const begin = (title: string) => {
    const ended = new Promise<string | undefined>((done) => (end = done));
    const task = {
      title,
      task: async (_context: unknown, row: { output: string }) => {
        update = (text) => (row.output = outputLine(text));
        const failed = await ended;
        if (failed !== undefined) throw new Error(oneLine(failed));
      },
    };
    const options = { exitOnError: false, registerSignalListeners: false };
    shown = shown.then(() => new Listr([task], options).run());
  };
  try {
    const report = await run({
      started(ticket, command) {
        end();
        begin(`ticket ${ticket.id}: ${command}`);
      },
      progress: (_ticket, progress) => update(countFirst(progress)),
      note: (_ticket, line) => update(line),
    });
    end(lastFailure(report.steps));
    return report;
  } catch (thrown) {
    end("stopped");
    throw thrown;
  } finally {
    await shown;
  }
}

/** Shows one row for each place in flight; a row shows one ticket after another. */
async function landSeveralLive(
  run: (listener: RunListener) => Promise<LandReport>,
  concurrency: number,
  lastStep: StepCode,
): Promise<LandReport> {
  const { Listr } = await import("listr2");
  interface Row {
    title: string;
    output: string;
  }
  const free: Row[] = [];
  const rows = new Map<number, Row>();
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((done) => (finish = done));
  const shown = new Listr(
    Array.from({ length: concurrency }, () => ({
      title: idle,
      task: async (_context: unknown, row: Row) => {
        free.push(row);
        await finished;
      },
    })),
    { concurrent: true, registerSignalListeners: false },
  ).run();
  const show = (ticket: number, text: string) => {
    const row = rows.get(ticket);
    if (row !== undefined) row.output = outputLine(text);
  };
  try {
    return await run({
      started({ id }, command) {
        const row = rows.get(id) ?? free.shift();
        if (row === undefined) return;
        rows.set(id, row);
        row.title = `ticket ${id}: ${command}`;
      },
      progress: (ticket, progress) => show(ticket, countFirst(progress)),
      note: show,
      ended({ ticket, step, outcome, reason }) {
        const row = rows.get(ticket);
        if (row === undefined) return;
        row.output = oneLine(reason ?? outcome);
        if (outcome === "passed" && step !== lastStep) return;
        row.title = `ticket ${ticket}: ${outcome}`;
        rows.delete(ticket);
        free.push(row);
      },
    });
  } finally {
    finish();
    await shown;
  }
}

const idle = "no ticket";

function lastFailure(steps: readonly StepReport[]): string | undefined {
  const last = steps.at(-1);
  return last === undefined || isGood(last)
    ? undefined
    : (last.reason ?? last.outcome);
}
