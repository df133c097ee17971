import { ageInWords } from "./age.ts";
import type { StepCode, WorkStepCode } from "./step.ts";

/** An estimated time as a range, ISO 8601: rarely before `earliest`, rarely after `latest`. */
export interface Interval {
  readonly earliest: string;
  readonly latest: string;
}

/** When an open ticket is expected to start and to complete, estimated from tickets that landed. */
export interface Expected {
  /** When it starts; null when it has started, or when no estimate is possible. */
  readonly start: Interval | null;
  /** When it is complete; null when no estimate is possible. */
  readonly end: Interval | null;
  /** The number of landed tickets that the estimate is based on. */
  readonly landings: number;
  /** Why no estimate is possible; null when one is. */
  readonly unknown: string | null;
}

/** A ticket that landed: when the successful run of each step began, and when the ticket was complete; ms since 1970. */
export interface FinishedTicket {
  readonly sources: readonly string[];
  readonly began: ReadonlyMap<WorkStepCode, number>;
  readonly ended: number;
}

/** An open ticket. */
export interface OnItsWay {
  readonly id: number;
  readonly sources: readonly string[];
  readonly step: StepCode;
  /** When the run of this step began, ms since 1970; null when none has begun. */
  readonly since: number | null;
  /** When its next attempt is due, ms since 1970; null when it waits for no retry. */
  readonly retryAt: number | null;
}

/** Landed tickets needed for an estimate. */
export const fewestLandings = 5;

/** Quantiles: one ticket in ten took less time than the earliest estimate, one in ten more than the latest. */
const lowest = 0.1;
const highest = 0.9;

interface Forecast {
  readonly start: number | null;
  readonly end: number;
}

/**
 * Estimates when each open ticket starts and completes. Tickets in flight: from how long landed tickets
 * took from the same step on. Queued tickets: by simulating the rules of the queue as slots become free.
 * The sample consists of landed tickets that share a source package, if there are enough of them, and of
 * all otherwise. The estimate assumes that cron passes are punctual and that every ticket lands.
 *
 * @param inFlight the tickets in flight
 * @param queue the queued tickets, the next to start first
 */
export function expectedTimes(
  nowMs: number,
  concurrency: number,
  inFlight: readonly OnItsWay[],
  queue: readonly OnItsWay[],
  landings: readonly FinishedTicket[],
): ReadonlyMap<number, Expected> {
  const all = [...inFlight, ...queue];
  if (landings.length < fewestLandings) {
    const unknown: Expected = {
      start: null,
      end: null,
      landings: landings.length,
      unknown: `it takes ${fewestLandings} landed tickets, and there are ${landings.length}`,
    };
    return new Map(all.map(({ id }) => [id, unknown]));
  }
  const samples = sampler(landings);
  const soonest = forecast(nowMs, concurrency, inFlight, queue, (ticket) =>
    remaining(samples(ticket), ticket, nowMs, lowest),
  );
  const latest = forecast(nowMs, concurrency, inFlight, queue, (ticket) =>
    remaining(samples(ticket), ticket, nowMs, highest),
  );
  return new Map(
    all.map((ticket) => {
      const from = soonest.get(ticket.id);
      const until = latest.get(ticket.id);
      return [
        ticket.id,
        {
          start: interval(from?.start ?? null, until?.start ?? null),
          end: interval(from?.end ?? null, until?.end ?? null),
          landings: samples(ticket).length,
          unknown: null,
        },
      ];
    }),
  );
}

/** Selects the landed tickets from which a ticket is estimated. */
function sampler(
  landings: readonly FinishedTicket[],
): (ticket: OnItsWay) => readonly FinishedTicket[] {
  const known = new Map<string, readonly FinishedTicket[]>();
  return ({ sources }) => {
    const key = sources.join(" ");
    const before = known.get(key);
    if (before !== undefined) return before;
    const alike = landings.filter((landing) =>
      landing.sources.some((source) => sources.includes(source)),
    );
    const sample = alike.length >= fewestLandings ? alike : landings;
    known.set(key, sample);
    return sample;
  };
}

/** Milliseconds until a ticket is complete, by the quantile `share` of the sample. */
function remaining(
  sample: readonly FinishedTicket[],
  { step, since }: OnItsWay,
  nowMs: number,
  share: number,
): number {
  const spans = sample
    .flatMap(({ began, ended }) => {
      const from = began.get(step as WorkStepCode);
      return from === undefined ? [] : [Math.max(0, ended - from)];
    })
    .sort((a, b) => a - b);
  const span = spans[Math.round(share * (spans.length - 1))] ?? 0;
  const spent = since === null ? 0 : Math.max(0, nowMs - since);
  return Math.max(0, span - spent);
}

/** Simulates the queue: a ticket starts when a slot is free and no ticket ahead of it shares a source package. */
function forecast(
  nowMs: number,
  concurrency: number,
  inFlight: readonly OnItsWay[],
  queue: readonly OnItsWay[],
  takes: (ticket: OnItsWay) => number,
): ReadonlyMap<number, Forecast> {
  const found = new Map<number, Forecast>();
  const busy = new Map<string, number>();
  const land = (ticket: OnItsWay, start: number, started: boolean) => {
    const end = start + takes(ticket);
    found.set(ticket.id, { start: started ? null : start, end });
    for (const source of ticket.sources)
      busy.set(source, Math.max(end, busy.get(source) ?? 0));
    return end;
  };
  const due = ({ retryAt }: OnItsWay) => Math.max(nowMs, retryAt ?? nowMs);
  const ends = inFlight.map((ticket) => land(ticket, due(ticket), true));
  // When more tickets are in flight than allowed, the first to end free no slot.
  const places = [
    ...ends.sort((a, b) => a - b).slice(-concurrency),
    ...Array.from(
      { length: Math.max(0, concurrency - ends.length) },
      () => nowMs,
    ),
  ];
  for (const ticket of queue) {
    const free = Math.max(
      due(ticket),
      ...ticket.sources.map((source) => busy.get(source) ?? nowMs),
    );
    const start = Math.max(free, Math.min(...places));
    // Best fit: take the slot that became free last before the start, because later tickets may use an
    // earlier slot and overtake one that waits for a shared package.
    const place = places.reduce(
      (best, at, index) =>
        at <= start && at > (places[best] ?? -1) ? index : best,
      places.indexOf(Math.min(...places)),
    );
    places[place] = land(ticket, start, false);
  }
  return found;
}

function interval(from: number | null, until: number | null): Interval | null {
  return from === null || until === null
    ? null
    : {
        earliest: new Date(from).toISOString(),
        latest: new Date(Math.max(from, until)).toISOString(),
      };
}

/** An estimate in words: "starts in 2 min to 9 min, complete in 8 min to 25 min (by 12 …)". */
export function expectedInWords(
  { start, end, landings, unknown }: Expected,
  nowMs: number,
): string {
  if (unknown !== null)
    return `no estimate of when it will be done: ${unknown}`;
  const spans = [
    ...(start === null ? [] : [`starts ${inWords(start, nowMs)}`]),
    ...(end === null ? [] : [`complete ${inWords(end, nowMs)}`]),
  ];
  return `${spans.join(", ")} (by the ${landings} tickets that landed before)`;
}

/** What its owner has said about a ticket, in words. */
export function etaInWords(eta: string): string {
  return `expected by its owner: ${eta.replace("T00:00:00.000Z", "")}`;
}

function inWords({ earliest, latest }: Interval, nowMs: number): string {
  const now = new Date(nowMs).toISOString();
  const from = ageInWords(now, Date.parse(earliest));
  const until = ageInWords(now, Date.parse(latest));
  if (until === "0 s") return "any moment";
  return from === until ? `in ${until}` : `in ${from} to ${until}`;
}
