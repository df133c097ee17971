import type { WorkStepCode } from "../domain/step.ts";
import { workAt } from "../domain/step.ts";
import type { Progress } from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import { crashPoint } from "../files/crash-point.ts";
import type { ProcessIdentity } from "../files/process-identity.ts";
import { isGone, thisProcess } from "../files/process-identity.ts";
import type { Connection } from "./database.ts";
import { firstValue } from "./database.ts";
import type { OpenJob } from "./open-jobs.ts";
import { jobOf } from "./open-jobs.ts";
import { reservePpa } from "./ppas.ts";
import { blockersOf, isReady, nextToGoOn, nextToStart } from "./queue.ts";

/** A lease on a ticket's step: the open run. */
export interface Lease {
  readonly run: number;
  readonly ticket: number;
  readonly step: WorkStepCode;
  readonly attempt: number;
  /** Temporary failures of the ticket at this step so far. */
  readonly tmpfails: number;
  /** A job that was submitted for this step before and is not known to have ended. */
  readonly job: OpenJob | null;
}

interface OpenRun extends ProcessIdentity {
  id: number;
  ticket: number;
  step: WorkStepCode;
  heartbeat_at: string;
}

/** A run renews its lease every 60 s, and counts as dead after ten missed updates. */
const heartbeatLimitMs = 10 * 60_000;

/** The open runs, oldest first. */
export function openRuns(db: Connection): OpenRun[] {
  return db
    .prepare<[], OpenRun>(
      // The + keeps SQLite from going through all runs in their order.
      "SELECT * FROM run WHERE finished_at IS NULL ORDER BY +id",
    )
    .all();
}

/** Whether an open run's process is gone. On another machine, only missed heartbeats show that. */
export function isDead(run: OpenRun): boolean {
  return (
    isGone(run) ?? Date.now() - Date.parse(run.heartbeat_at) > heartbeatLimitMs
  );
}

/** A dead process's lease that this process has taken over. */
export interface DeadLease extends Lease {
  readonly reason: string;
}

/**
 * Takes over the leases of dead processes, so that nobody works on those tickets while the remains of
 * their runs are cleaned up. If this process is killed meanwhile, the next one takes them over in turn.
 */
export function takeOverDeadLeases(db: Connection): DeadLease[] {
  if (!openRuns(db).some(isDead)) return [];
  const takeOver = db.prepare(
    `UPDATE run SET host = @host, pid = @pid, boot_id = @boot_id, process_start = @process_start,
       heartbeat_at = @at WHERE id = @id`,
  );
  return db
    .transaction(() =>
      openRuns(db)
        .filter(isDead)
        .map(({ id, ticket, step, pid, host }) => {
          takeOver.run({ ...thisProcess(), at: now(), id });
          const reason = `process ${pid} on ${host} was gone before it finished`;
          return {
            run: id,
            ticket,
            step,
            attempt: 0,
            tmpfails: 0,
            job: null,
            reason,
          };
        }),
    )
    .immediate();
}

/** The process that holds a ticket's lease, and whether it is gone; null without a lease. */
export function workerOf(
  db: Connection,
  ticket: number,
): { pid: number; host: string; gone: boolean } | null {
  const run = db
    .prepare<[number], OpenRun>(
      "SELECT * FROM run WHERE ticket = ? AND finished_at IS NULL",
    )
    .get(ticket);
  return run === undefined
    ? null
    : { pid: run.pid, host: run.host, gone: isDead(run) };
}

/**
 * Takes the lease on the next ticket to work on at this step: the oldest ready one, by priority, then
 * first in first out; or on the given ticket. At the first step, a ticket is only taken while fewer than
 * `concurrency` are in flight, and if neither these nor tickets ahead of it in the queue share a source
 * package with it.
 */
export function takeLease(
  db: Connection,
  step: WorkStepCode,
  who: ProcessIdentity,
  options: { readonly ticket?: number; readonly concurrency: number },
): Lease | null {
  if (nextTicket(db, step, options) === undefined) return null;
  return db
    .transaction(() => {
      const found = nextTicket(db, step, options);
      if (found === undefined) return null;
      const at = now();
      // Polling a pending job continues the attempt that submitted it.
      const job = jobOf(db, found);
      const started = job?.look_at == null ? at : job.began_at;
      const attempt =
        (firstValue<number>(
          db,
          "SELECT max(attempt) AS attempt FROM run WHERE ticket = ? AND step = ?",
          found,
          step,
        ) ?? 0) + 1;
      const run = Number(
        db
          .prepare(
            `INSERT INTO run (ticket, step, attempt, host, pid, boot_id, process_start, started_at, heartbeat_at)
             VALUES (@ticket, @step, @attempt, @host, @pid, @boot_id, @process_start, @started, @at)`,
          )
          .run({ ticket: found, step, attempt, started, at, ...who })
          .lastInsertRowid,
      );
      crashPoint("lease.written");
      db.prepare(
        "UPDATE ticket SET status = 'running', waiting_for = NULL, remedy = NULL, retry_at = NULL, updated_at = ? WHERE id = ?",
      ).run(at, found);
      return {
        run,
        ticket: found,
        step,
        attempt,
        tmpfails: tmpfailsOf(db, found),
        job,
      };
    })
    .immediate();
}

/** The ticket that `takeLease` would take. */
export function nextTicket(
  db: Connection,
  step: WorkStepCode,
  {
    ticket,
    concurrency,
  }: { readonly ticket?: number; readonly concurrency: number },
): number | undefined {
  const queues = workAt(step).reservesPpa === true;
  if (ticket === undefined)
    return queues
      ? nextToStart(db, concurrency)
      : nextToGoOn(db, new Set(), [step]);
  const free = !queues || blockersOf(db, ticket, concurrency).length === 0;
  return free && isReady(db, ticket, step) ? ticket : undefined;
}

/** Records whether an open run works on a source package of its ticket just now. */
export function markSubticket(
  db: Connection,
  run: number,
  subticket: number,
  isAtWork: boolean,
): void {
  db.prepare(
    `UPDATE subticket SET status = ? WHERE id = ?
       AND ticket = (SELECT ticket FROM run WHERE id = ? AND finished_at IS NULL)`,
  ).run(isAtWork ? "running" : "waiting", subticket, run);
}

/** Renews a lease and records progress; false when the lease was lost. */
export function renewLease(
  db: Connection,
  run: number,
  progress?: Progress,
): boolean {
  return db
    .transaction(() => {
      const renewed = db
        .prepare(
          "UPDATE run SET heartbeat_at = ? WHERE id = ? AND finished_at IS NULL",
        )
        .run(now(), run);
      if (renewed.changes === 0) return false;
      if (progress !== undefined) {
        db.prepare(
          `INSERT INTO progress (run, state, message, current, total, at) VALUES (@run, @state, @message, @current, @total, @at)
           ON CONFLICT (run) DO UPDATE SET state = excluded.state, message = excluded.message,
             current = excluded.current, total = excluded.total, at = excluded.at`,
        ).run({ run, ...progress });
      }
      return true;
    })
    .immediate();
}

/** Reserves a PPA for a leased ticket, without changing anything else; null when none is free. */
export function reserveForLease(
  db: Connection,
  lease: Lease,
  actor: string,
): string | null {
  return db.transaction(() => reservePpa(db, lease.ticket, actor)).immediate();
}

/** Temporary failures of a ticket at its step so far. */
export function tmpfailsOf(db: Connection, ticket: number): number {
  return (
    firstValue<number>(
      db,
      "SELECT tmpfails FROM ticket WHERE id = ?",
      ticket,
    ) ?? 0
  );
}
