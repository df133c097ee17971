import type { OverridePlan, OverrideTarget } from "../domain/override.ts";
import {
  goesOnAfter,
  overrideToUndo,
  planOverride,
} from "../domain/override.ts";
import { queueStep, workStep } from "../domain/step.ts";
import type { Override } from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import { machineArchitecture } from "../host/architecture.ts";
import { reopenTicket } from "../state/retries.ts";
import { addOverride, undoOverride } from "../state/overrides.ts";
import { getTicket } from "../state/tickets.ts";
import type { Engine } from "./engine.ts";

/**
 * Records an override, which applies from the ticket's next run on.
 *
 * @throws UbuntuCiError (2) when the ticket has no such thing, its end has passed, is complete, or has this override already
 */
export function override(
  engine: Engine,
  id: number,
  target: OverrideTarget,
  reason: string,
  until: string | null,
): OverridePlan {
  const { db, actor } = engine;
  return db
    .transaction(() => {
      const ticket = getTicket(db, id);
      const plan = planOverride(
        ticket,
        target,
        machineArchitecture(),
        until,
        now(),
      );
      addOverride(db, id, plan.target, reason, until, actor);
      if (goesOnAfter(ticket, plan.target))
        reopenTicket(
          db,
          id,
          workStep(ticket.step.code)?.code ?? queueStep,
          actor,
        );
      return plan;
    })
    .immediate();
}

/**
 * Withdraws an override.
 *
 * @throws UbuntuCiError (2) when there is none such
 */
export function undo(
  engine: Engine,
  id: number,
  wanted: number | OverrideTarget | null,
): Override {
  const { db, actor } = engine;
  return db
    .transaction(() => {
      const found = overrideToUndo(getTicket(db, id), wanted);
      undoOverride(db, id, found, actor);
      return found;
    })
    .immediate();
}
