import type { StepCode } from "./step.ts";
import { queueStep } from "./step.ts";
import type { Ticket, TicketStatus } from "./ticket.ts";

/** Another open ticket, as far as it can be in one's way. */
export interface OpenTicket {
  readonly id: number;
  readonly step: StepCode;
  readonly status: TicketStatus;
  /** Names of its source packages. */
  readonly sources: readonly string[];
}

/** A ticket of the queue. One that waits for its next attempt is not ready, and keeps its place. */
export interface QueuedTicket extends OpenTicket {
  readonly priority: number;
  readonly ready: boolean;
}

/** The source packages that two tickets have in common: the version before is to land first. */
export function inCommon(
  sources: readonly string[],
  other: Pick<OpenTicket, "sources">,
): string[] {
  return sources.filter((source) => other.sources.includes(source));
}

/** Whether no further ticket may be in flight. A pending ticket is in flight as any other. */
export function isFull(
  inFlight: readonly OpenTicket[],
  concurrency: number,
): boolean {
  return inFlight.length >= concurrency;
}

/**
 * The tickets that keep one from starting: all in flight when no further one may be, else those in
 * flight and those before it in the queue that have a source package in common with it. None when it
 * has its place among those in flight.
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
 * The tickets of a queue that may start beside those in flight and each other, the next one first: one
 * that has a source package in common with a ticket before it waits for that one.
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

/** Whether an open ticket is past the queue: beyond the first step, at work, or with a PPA of its own. */
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
