import type { OpenTicket, QueuedTicket } from "../domain/queue.ts";
import { isFull, startable, startBlockers } from "../domain/queue.ts";
import { isDue, notYetDue } from "../domain/retry.ts";
import type { StepCode, WorkStepCode } from "../domain/step.ts";
import { failedStep, queueStep, stepCommands } from "../domain/step.ts";
import type { TicketStatus } from "../domain/ticket.ts";
import type { Connection } from "./database.ts";
import { firstValue } from "./database.ts";

/**
 * SQL: whether the `ticket` row at hand has not ended; just as the index `ticket_open` has it. Order by
 * `+id` beside it: by `id` alone SQLite goes through all tickets instead.
 */
export const openCondition = `ticket.step < ${failedStep}`;

/** SQL: whether the current `ticket` row has a PPA, which makes it in flight even at the first step. */
const ppaCondition = "EXISTS (SELECT 1 FROM ppa WHERE ppa.ticket = ticket.id)";

/** SQL: the rule `isInFlight` of domain/queue.ts for the current `ticket` row, if that is open. */
export const inFlightCondition = `(ticket.step > ${queueStep} OR ticket.status = 'running' OR ${ppaCondition})`;

/** SQL: whether the current `ticket` row waits in the queue, and the order of the queue. */
export const queuedCondition = `(ticket.step = ${queueStep} AND ticket.status = 'waiting' AND NOT ${ppaCondition})`;
const queueOrder = "ticket.priority DESC, ticket.id";

/** The tickets in flight, oldest first: beyond the first step, running, or with a PPA reserved. */
export function ticketsInFlight(db: Connection): OpenTicket[] {
  return db
    .prepare<
      [],
      { id: number; step: StepCode; status: TicketStatus; sources: string }
    >(
      `SELECT id, step, status, ${sourcesOf} AS sources FROM ticket WHERE ${openCondition} AND ${inFlightCondition} ORDER BY +id`,
    )
    .all()
    .map((row) => ({ ...row, sources: JSON.parse(row.sources) as string[] }));
}

/** SQL: names of the `ticket` row's source packages, as a JSON array. */
export const sourcesOf = `(SELECT json_group_array(source_package.name) FROM subticket
  JOIN source_package_upload upload ON upload.id = subticket.upload
  JOIN source_package ON source_package.id = upload.source_package WHERE subticket.ticket = ticket.id)`;

/** The tickets that keep a ticket from starting. */
export function blockersOf(
  db: Connection,
  ticket: number,
  concurrency: number,
): OpenTicket[] {
  const inFlight = ticketsInFlight(db);
  if (inFlight.some(({ id }) => id === ticket)) return [];
  return startBlockers(
    sourcesOfTicket(db, ticket),
    inFlight,
    queueBefore(db, ticket),
    concurrency,
  );
}

/** Whether a ticket waits at that step and is due, if it waits for a retry. */
export function isReady(
  db: Connection,
  ticket: number,
  step: WorkStepCode,
): boolean {
  const row = db
    .prepare<[number, number], { retry_at: string | null }>(
      "SELECT retry_at FROM ticket WHERE id = ? AND step = ? AND status = 'waiting'",
    )
    .get(ticket, step);
  return row !== undefined && isDue(row.retry_at, Date.now());
}

/** The names of the source packages of a ticket. */
function sourcesOfTicket(db: Connection, ticket: number): string[] {
  const sources = firstValue<string>(
    db,
    `SELECT ${sourcesOf} FROM ticket WHERE id = ?`,
    ticket,
  );
  return JSON.parse(sources ?? "[]") as string[];
}

/** The next ticket that may start now and is not in `except`; one that already has its PPA comes first. */
export function nextToStart(
  db: Connection,
  concurrency: number,
  except: ReadonlySet<number> = new Set(),
): number | undefined {
  const started = nextToGoOn(db, except, [queueStep]);
  if (started !== undefined) return started;
  const inFlight = ticketsInFlight(db);
  if (isFull(inFlight, concurrency)) return undefined;
  for (const { id } of startable(inFlight, queue(db)))
    if (!except.has(id)) return id;
  return undefined;
}

/** The queue in order. Yields one ticket at a time, because the sources of a long queue take time to look up. */
function* queue(
  db: Connection,
): Generator<OpenTicket & { readonly ready: boolean }> {
  const { after, until } = notYetDue(Date.now());
  const waiting = db
    .prepare<[string, string], { id: number; ready: 0 | 1 }>(
      `SELECT id, retry_at IS NULL OR retry_at <= ? OR retry_at > ? AS ready FROM ticket
       WHERE ${queuedCondition} ORDER BY ${queueOrder}`,
    )
    .all(after, until);
  for (const { id, ready } of waiting)
    yield {
      id,
      step: queueStep,
      status: "waiting",
      sources: sourcesOfTicket(db, id),
      ready: ready === 1,
    };
}

/** The oldest ready ticket in flight, by priority, at one of `steps` and not in `except`. */
export function nextToGoOn(
  db: Connection,
  except: ReadonlySet<number>,
  steps: readonly WorkStepCode[] = stepCommands.map(({ code }) => code),
): number | undefined {
  const { after, until } = notYetDue(Date.now());
  return db
    .prepare<[string, string, string], { id: number }>(
      `SELECT id FROM ticket WHERE status = 'waiting' AND step IN (SELECT value FROM json_each(?))
         AND ${inFlightCondition}
         AND (retry_at IS NULL OR retry_at <= ? OR retry_at > ?) ORDER BY ${queueOrder}`,
    )
    .all(JSON.stringify(steps), after, until)
    .find(({ id }) => !except.has(id))?.id;
}

/** Position in the queue from 1, by priority, then first in first out; null when the ticket is not in the queue. */
export function queuePosition(db: Connection, ticket: number): number | null {
  return firstValue<number>(
    db,
    `SELECT (SELECT count(*) FROM ticket WHERE ${queuedCondition} AND (ticket.priority > mine.priority
             OR (ticket.priority = mine.priority AND ticket.id <= mine.id))) AS position
         FROM (SELECT id, priority FROM ticket WHERE id = ? AND ${queuedCondition}) mine`,
    ticket,
  );
}

/** Position of each ticket in the queue. */
export function queuePositions(db: Connection): ReadonlyMap<number, number> {
  const waiting = db
    .prepare<[], { id: number }>(
      `SELECT id FROM ticket WHERE ${queuedCondition} ORDER BY ${queueOrder}`,
    )
    .all();
  return new Map(waiting.map(({ id }, index) => [id, index + 1]));
}

/** The tickets ahead of one in the queue, the next to start first. */
export function queueBefore(db: Connection, ticket: number): QueuedTicket[] {
  return db
    .prepare<
      [number],
      {
        id: number;
        priority: number;
        sources: string;
        retry_at: string | null;
      }
    >(
      `SELECT ticket.id, ticket.priority, ticket.retry_at, ${sourcesOf} AS sources
       FROM ticket mine JOIN ticket
         ON ticket.priority > mine.priority OR (ticket.priority = mine.priority AND ticket.id < mine.id)
       WHERE mine.id = ? AND mine.step = ${queueStep} AND mine.status IN ('waiting', 'held')
         AND ${queuedCondition} ORDER BY ${queueOrder}`,
    )
    .all(ticket)
    .map(({ id, priority, retry_at, sources }) => ({
      id,
      priority,
      step: queueStep,
      status: "waiting",
      sources: JSON.parse(sources) as string[],
      ready: isDue(retry_at, Date.now()),
    }));
}
