import { notNow } from "../../lib/domain/error.ts";
import type { WorkStepCode } from "../../lib/domain/step.ts";
import {
  comesAfter,
  commandOf,
  stepOf,
  workStep,
} from "../../lib/domain/step.ts";
import type { StepPlan } from "../../lib/steps/step-definition.ts";
import type { CommandContext } from "../../cli/context.ts";
import { planText } from "../../cli/plan-text.ts";
import { isGood, plainListener, reportLine, tellFailure } from "./run-text.ts";

/** Runs one step of one ticket, or with --dry-run prints its plan; sets the exit code. */
export async function workOnStep(
  context: CommandContext,
  step: WorkStepCode,
  id: number | undefined,
): Promise<void> {
  const { nextToWorkOn, planStep, runStep } =
    await import("../../lib/engine/run-step.ts");
  const { whyNot } = await import("../../lib/engine/land.ts");
  const { findTicket, getTicket } = await import("../../lib/state/tickets.ts");
  const engine = await context.engine();
  const name = commandOf(step);
  const ticket =
    id === undefined
      ? undefined
      : getTicket(engine.db, id, context.paths.store);
  if (ticket !== undefined && ticket.step.code !== step) {
    const message = `ticket ${ticket.id} is at ${ticket.step.name} (${ticket.step.code}), not at ${stepOf(step).name} (${step})`;
    const at = workStep(ticket.step.code);
    if (at !== undefined && comesAfter(step, at.code))
      throw notNow(message, "the steps before have to pass first");
    context.say(`${message}: nothing to do`);
    context.result("", { plan: null, runs: [] });
    return;
  }
  if (context.options.dryRun === true) {
    const next = nextToWorkOn(engine, step, id);
    if (next === undefined && ticket !== undefined)
      throw whyNot(engine, ticket);
    const plan =
      next === undefined ? undefined : await planStep(engine, step, next);
    context.result(plan === undefined ? "nothing to do" : planText(plan), {
      plan: plan ?? null,
    });
    return;
  }
  let plan: StepPlan | undefined;
  const report = await runStep(engine, step, {
    signal: context.signal,
    listener: {
      ...plainListener(context),
      planned: (made) => (plan = made),
    },
    ...(id !== undefined && { ticket: id }),
  });
  if (report === undefined) {
    if (ticket !== undefined) throw whyNot(engine, ticket);
    context.say(`${name}: nothing to do`);
    context.result("", { plan: null, runs: [] });
    return;
  }
  const line = reportLine(report, name);
  if (isGood(report)) context.say(line);
  else
    tellFailure(
      report,
      findTicket(engine.db, report.ticket, context.paths.store),
      line,
    );
  context.result("", {
    plan: plan ?? null,
    runs: [{ ...report, step: stepOf(report.step) }],
  });
  context.exit(report.exitCode);
}
