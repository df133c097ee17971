import type { Step } from "../../lib/domain/step.ts";
import { publishStep, stepOf } from "../../lib/domain/step.ts";
import type { RunListener } from "../../lib/engine/engine.ts";
import { land, planLand } from "../../lib/engine/land.ts";
import { landingSummary } from "./landing-summary.ts";
import { landLive } from "./live-landing.ts";
import { isTerminal } from "../../lib/host/output.ts";
import type { StepPlan } from "../../lib/steps/step-definition.ts";
import type { Result } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { stopInMaintenance } from "../../lib/upkeep/maintenance-guard.ts";
import { isGood, plainListener, tellEnd } from "./run-text.ts";

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
  const lastStep = options.until?.code ?? publishStep;
  const several = concurrency > 1 && options.ticket === undefined;
  const report = live
    ? await landLive(run, several ? concurrency : 1, lastStep)
    : await run({
        ...plainListener(context),
        ended: (step) => tellEnd(context, engine, step),
      });
  if (live)
    for (const step of report.steps) {
      if (!isGood(step)) tellEnd(context, engine, step);
    }
  for (const line of landingSummary(engine, report.steps)) context.say(line);
  if (report.steps.length === 0 && !report.heldBack)
    context.say(
      options.ticket === undefined
        ? "land: nothing to do"
        : `ticket ${options.ticket}: nothing is left to do`,
    );
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

/** The plan of the next step of each open ticket. */
export async function planLandTickets(
  context: CommandContext,
  options: LandingOptions,
): Promise<StepPlan[]> {
  return planLand(await context.engine(), landOptions(options));
}
