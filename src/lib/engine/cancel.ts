import { setTimeout } from "node:timers/promises";

import type { CancelPlan } from "../domain/cancel.ts";
import { planCancel } from "../domain/cancel.ts";
import type { Ticket } from "../domain/ticket.ts";
import { workStep } from "../domain/step.ts";
import { crashPoint } from "../files/crash-point.ts";
import { cancelTicket } from "../state/cancellation.ts";
import { getTicket } from "../state/tickets.ts";
import type { Engine } from "./engine.ts";
import { cancelUnwantedJobs } from "./jobs.ts";
import { giveUpDeadRuns, runStep } from "./run-step.ts";

const pollMs = 200;

/**
 * Cancels a ticket. An idle one ends at once and gives its PPA back; the process that works on one is
 * asked to end it, and will do so even if this process dies.
 *
 * @throws UbuntuCiError (2) when there is no such ticket or it has ended
 */
export async function cancel(
  engine: Engine,
  id: number,
  reason: string | null,
): Promise<CancelPlan> {
  const { db, actor } = engine;
  await giveUpDeadRuns(engine);
  const asked = db
    .transaction(() => {
      const plan = planCancel(getTicket(db, id));
      cancelTicket(db, id, plan.kind, actor, reason);
      return plan;
    })
    .immediate();
  crashPoint("cancel.asked");
  await cancelUnwantedJobs(engine);
  return asked;
}

/**
 * Waits for a ticket that was asked to end, and ends it here if its process is gone.
 *
 * @returns the ticket as it is when it has ended, or at the time limit
 */
export async function awaitCancelled(
  engine: Engine,
  id: number,
  waitMs: number,
  signal: AbortSignal,
): Promise<Ticket> {
  const { db } = engine;
  const until = performance.now() + waitMs;
  for (;;) {
    await giveUpDeadRuns(engine);
    const ticket = getTicket(db, id);
    const step = workStep(ticket.step.code);
    if (step === undefined) return ticket;
    // The publish step first looks whether the archive has the ticket, and ends it accordingly.
    if (ticket.status === "waiting" && step.publishes === true) {
      await runStep(engine, step.code, { ticket: id, signal });
      continue;
    }
    if (performance.now() >= until || signal.aborted) return ticket;
    await setTimeout(pollMs);
  }
}
