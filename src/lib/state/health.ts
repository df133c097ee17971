import type { StepCode } from "../domain/step.ts";
import type { TicketStatus } from "../domain/ticket.ts";
import type { Connection } from "./database.ts";
import { firstColumn, firstValue } from "./database.ts";
import { inFlightCondition, openCondition, queuedCondition } from "./queue.ts";
import { statusOfTicket, stepOfTicket } from "./ticket-status.ts";

/** A waiting ticket: since when it has made no progress, and what it waits for. */
interface WaitingTicket {
  readonly id: number;
  readonly step: StepCode;
  readonly since: string;
  readonly waiting_for: string | null;
}

/** The ticket that has waited longest, or undefined. Failed attempts and edits of a ticket do not count as progress. */
export function oldestWaiting(db: Connection): WaitingTicket | undefined {
  return db
    .prepare<[], WaitingTicket>(
      // A pending ticket only counts as waiting once its job is due to be polled.
      `SELECT id, step, waiting_for, coalesce(
           (SELECT look_at FROM job WHERE job.ticket = ticket.id AND unwanted = 0),
           (SELECT max(at) FROM event WHERE subject = 'ticket' AND subject_id = CAST(ticket.id AS TEXT)
              AND what NOT IN ('tmpfail', 'updated')), created_at) AS since
       FROM ticket WHERE status = 'waiting' AND ${openCondition} ORDER BY since, id LIMIT 1`,
    )
    .get();
}

/** Tickets that failed since that time because of our infrastructure. */
export function failedByInfrastructure(
  db: Connection,
  since: string,
): number[] {
  return firstColumn<number>(
    db,
    `SELECT id FROM ticket WHERE failure_kind = 'infrastructure' AND updated_at >= ?
         AND status = 'failed' ORDER BY +id`,
    since,
  );
}

/** Numbers of unfinished tickets by step and status. */
export function unfinishedTickets(
  db: Connection,
): { step: StepCode; status: TicketStatus; count: number }[] {
  return db
    .prepare<[], { step: StepCode; status: TicketStatus; count: number }>(
      `SELECT ${stepOfTicket} AS step, ${statusOfTicket} AS status, count(*) AS count FROM ticket
       WHERE ${openCondition} GROUP BY 1, 2 ORDER BY 1, 2`,
    )
    .all();
}

/** When the newest backup was made; null when none was. */
export function lastBackup(db: Connection): string | null {
  return firstValue<string>(
    db,
    `SELECT at FROM event WHERE subject = 'state' AND subject_id = 'backup' AND what = 'backed-up'
         ORDER BY id DESC LIMIT 1`,
  );
}

export function hasTickets(db: Connection): boolean {
  return firstValue<number>(db, "SELECT 1 FROM ticket LIMIT 1") !== null;
}

/** When this state began: its first event. */
export function stateBegan(db: Connection): string | null {
  return firstValue<string>(db, "SELECT at FROM event ORDER BY id LIMIT 1");
}

/** A ticket that waits until a person has put the configuration or this machine right. */
interface WaitingForPerson {
  readonly id: number;
  readonly step: StepCode;
  readonly reason: string;
}

/** The tickets whose last run ended with exit code 78: those have a remedy, and no retry that is due. */
export function waitingForPerson(db: Connection): WaitingForPerson[] {
  return db
    .prepare<[], WaitingForPerson>(
      `SELECT id, step, waiting_for AS reason FROM ticket WHERE status = 'waiting' AND ${openCondition}
         AND waiting_for IS NOT NULL AND remedy IS NOT NULL AND retry_at IS NULL ORDER BY +id`,
    )
    .all();
}

/**
 * Tickets in the queue that no pass can start: nothing is in flight that could give its PPA back, and
 * none of the pool's is free or about to be.
 */
export function wedgedTickets(db: Connection): number[] {
  const free = firstValue<number>(
    db,
    `SELECT count(*) FROM ppa WHERE state <> 'reserved' OR ticket IN
       (SELECT id FROM ticket WHERE NOT ${openCondition} OR (status <> 'held' AND ${inFlightCondition}))`,
  );
  return free === 0
    ? firstColumn<number>(
        db,
        `SELECT id FROM ticket WHERE ${queuedCondition} ORDER BY id`,
      )
    : [];
}
