import type { StepCode } from "./step.ts";
import { queueStep } from "./step.ts";
import type { Ticket, TicketStatus } from "./ticket.ts";

/** An open ticket, with what matters to the rules of the queue. */
export interface OpenTicket {
  readonly id: number;
  readonly step: StepCode;
  readonly status: TicketStatus;
  /** Names of its source packages. */
  readonly sources: readonly string[];
}

/** A queued ticket. One that waits for a retry is not ready, but keeps its place in the queue. */
export interface QueuedTicket extends OpenTicket {
  readonly priority: number;
  readonly ready: boolean;
}

/** The source packages that two tickets have in common; of such tickets the earlier one has to land first. */
export function inCommon(
  sources: readonly string[],
  other: Pick<OpenTicket, "sources">,
): string[] {
  return sources.filter((source) => other.sources.includes(source));
}

/** Whether the limit of tickets in flight is reached. A ticket that waits for a remote job counts as well. */
export function isFull(
  inFlight: readonly OpenTicket[],
  concurrency: number,
): boolean {
  return inFlight.length >= concurrency;
}

/**
 * The tickets that keep a ticket from starting: all in flight when their limit is reached, otherwise those
 * in flight or ahead of it in the queue that share a source package with it. Empty when it may start.
 */
export function startBlockers(
  sources: readonly string[],
  inFlight: readonly OpenTicket[],
  ahead: readonly OpenTicket[],
  concurrency: number,
): OpenTicket[] {
  const shares = (other: OpenTicket) => inCommon(sources, other).length > 0;
  return [
    ...(isFull(inFlight, concurrency) ? inFlight : inFlight.filter(shares)),
    ...ahead.filter(shares),
  ];
}

/**
 * The queued tickets that may start beside those in flight and each other, the next one first. A ticket
 * that shares a source package with one ahead of it waits for that one.
 */
export function* startable<T extends OpenTicket & { readonly ready: boolean }>(
  inFlight: readonly OpenTicket[],
  queue: Iterable<T>,
): Generator<T> {
  const taken = new Set(inFlight.flatMap(({ sources }) => sources));
  for (const ticket of queue) {
    const free = !ticket.sources.some((source) => taken.has(source));
    for (const source of ticket.sources) taken.add(source);
    if (free && ticket.ready) yield ticket;
  }
}

/** Whether an open ticket is in flight: beyond the first step, running, or with a PPA reserved. */
export function isInFlight({
  step,
  status,
  ppa,
}: Pick<Ticket, "step" | "status" | "ppa">): boolean {
  return (
    status !== "set-aside" &&
    (step.code !== queueStep || status === "running" || ppa !== null)
  );
}
