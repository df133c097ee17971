import type { Result } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { notNow } from "../../lib/domain/error.ts";
import type { WorkStepCode } from "../../lib/domain/step.ts";
import {
  comesAfter,
  commandOf,
  stepOf,
  workStep,
} from "../../lib/domain/step.ts";
import type { Ticket } from "../../lib/domain/ticket.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import { endedUnlanded, whyNot } from "../../lib/engine/land.ts";
import { nextToWorkOn, planStep, runStep } from "../../lib/engine/run-step.ts";
import { getTicket } from "../../lib/state/tickets.ts";
import type { StepPlan } from "../../lib/steps/step-definition.ts";
import { plainListener, tellEnd } from "./run-text.ts";

/**
 * Plans a step of the named ticket, or of the next one; null when there is nothing to do.
 *
 * @throws UbuntuCiError (2) when there is no such ticket, (75) when it is not ready
 */
export async function planStepCommand(
  context: CommandContext,
  step: WorkStepCode,
  id: number | undefined,
): Promise<StepPlan | null> {
  const engine = await context.engine();
  const ticket = ticketAt(context, engine, step, id);
  if (ticket === "beyond") return null;
  const next = nextToWorkOn(engine, step, id);
  if (next === undefined && ticket !== undefined) throw whyNot(engine, ticket);
  return next === undefined ? null : planStep(engine, step, next);
}

/**
 * Runs a step of the named ticket, or of the next one.
 *
 * @throws UbuntuCiError (2) when there is no such ticket, (75) when it is not ready
 */
export async function runStepCommand(
  context: CommandContext,
  step: WorkStepCode,
  id: number | undefined,
): Promise<Result> {
  const engine = await context.engine();
  const nothing = { value: { plan: null, runs: [] } };
  const ticket = ticketAt(context, engine, step, id);
  if (ticket === "beyond") return nothing;
  let plan: StepPlan | null = null;
  const report = await runStep(engine, step, {
    signal: context.signal,
    listener: {
      ...plainListener(context),
      planned: (made) => (plan = made),
    },
    ...(id !== undefined && { ticket: id }),
  });
  const name = commandOf(step);
  if (report === undefined) {
    if (ticket !== undefined) throw whyNot(engine, ticket);
    context.say(`${name}: nothing to do`);
    return nothing;
  }
  tellEnd(context, engine, report);
  return {
    value: { plan, runs: [{ ...report, step: stepOf(report.step) }] },
    exitCode: report.exitCode,
  };
}

/** The named ticket, if any; refuses one that is past the step. */
function ticketAt(
  { say }: CommandContext,
  engine: Engine,
  step: WorkStepCode,
  id: number | undefined,
): Ticket | "beyond" | undefined {
  if (id === undefined) return undefined;
  const ticket = getTicket(engine.db, id);
  if (ticket.set_aside !== null) throw whyNot(engine, ticket);
  if (ticket.step.code === step) return ticket;
  const failed = endedUnlanded(ticket);
  if (failed !== undefined) throw failed;
  const message = `ticket ${ticket.id} is at ${ticket.step.name} (${ticket.step.code}), not at ${stepOf(step).name} (${step})`;
  const at = workStep(ticket.step.code);
  if (at !== undefined && comesAfter(step, at.code))
    throw notNow(message, "the steps before have to pass first");
  say(`${message}: nothing to do`);
  return "beyond";
}
