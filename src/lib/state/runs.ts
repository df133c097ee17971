import { cancelledInWords } from "../domain/cancel.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import { notYetDue, retryDelaySeconds } from "../domain/retry.ts";
import type { StepCode, WorkStepCode } from "../domain/step.ts";
import type {
  Blame,
  Cancellation,
  Outcome,
  Progress,
  TestResult,
} from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import { crashPoint } from "../host/crash-point.ts";
import type { ProcessIdentity } from "../host/process-identity.ts";
import { isGone } from "../host/process-identity.ts";
import type { Connection } from "./database.ts";
import { lastEvent, recordEvent } from "./events.ts";
import { releasePpa, reservePpa } from "./ppas.ts";
import { recordPublication } from "./publications.ts";
import { nextToStart, startBlockers } from "./queue.ts";
import type { NewArtifact } from "./artifacts.ts";
import { artifactPlaces, recordArtifacts } from "./artifacts.ts";

/** A lease on a ticket's step: the open run. */
export interface Lease {
  readonly run: number;
  readonly ticket: number;
  readonly step: WorkStepCode;
  readonly attempt: number;
  /** Temporary failures of the ticket at this step so far. */
  readonly tmpfails: number;
}

/** Removes the files of a ticket in the data store but these; called inside the transaction. */
export type TidyFiles = (
  ticket: number,
  recorded: readonly { readonly container: string; readonly name: string }[],
) => void;

interface OpenRun extends ProcessIdentity {
  id: number;
  ticket: number;
  step: WorkStepCode;
  heartbeat_at: string;
}

/** A run renews its lease every 60 s; ten missed updates and it is dead. */
const heartbeatLimitMs = 10 * 60_000;

export function openRuns(db: Connection): OpenRun[] {
  return db
    .prepare<[], OpenRun>(
      "SELECT * FROM run WHERE finished_at IS NULL ORDER BY id",
    )
    .all();
}

/**
 * Gives up the leases whose process is gone: each such run ends as tmpfail, its ticket is ready
 * again at once. Returns the ids of the runs given up, whose scratch folders can go.
 */
export function giveUpDeadLeases(
  db: Connection,
  actor: string,
  policy: RetryPolicy,
  tidy: TidyFiles,
): number[] {
  if (!openRuns(db).some(isDead)) return [];
  return db
    .transaction(() => {
      const dead = openRuns(db).filter(isDead);
      for (const run of dead) {
        finishRun(
          db,
          actor,
          { run: run.id, ...run, attempt: 0, tmpfails: 0 },
          policy,
          tidy,
          {
            outcome: "tmpfail",
            reason: `process ${run.pid} on ${run.host} was gone before it finished`,
            retryAtOnce: true,
          },
        );
      }
      return dead.map(({ id }) => id);
    })
    .immediate();
}

/** Another machine's process can't be seen from here: its missed heartbeats tell. */
function isDead(run: OpenRun): boolean {
  return (
    isGone(run) ?? Date.now() - Date.parse(run.heartbeat_at) > heartbeatLimitMs
  );
}

/** The process that holds the lease on a ticket, and whether it is gone; null when nobody works on it. */
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
 * Takes the lease on the ticket to work on next at this step: the oldest ready one, by priority,
 * then first in first out; or that very ticket. At the first step a ticket is only taken while
 * fewer than `concurrency` are in flight, and none of those has a source package in common with it.
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
      const attempt =
        (db
          .prepare<[number, number], { attempt: number | null }>(
            "SELECT max(attempt) AS attempt FROM run WHERE ticket = ? AND step = ?",
          )
          .get(found, step)?.attempt ?? 0) + 1;
      const run = Number(
        db
          .prepare(
            `INSERT INTO run (ticket, step, attempt, host, pid, boot_id, process_start, started_at, heartbeat_at)
             VALUES (@ticket, @step, @attempt, @host, @pid, @boot_id, @process_start, @at, @at)`,
          )
          .run({ ticket: found, step, attempt, at, ...who }).lastInsertRowid,
      );
      crashPoint("lease.written");
      db.prepare(
        "UPDATE ticket SET status = 'running', waiting_for = NULL, retry_at = NULL, updated_at = ? WHERE id = ?",
      ).run(at, found);
      return {
        run,
        ticket: found,
        step,
        attempt,
        tmpfails: tmpfailsOf(db, found),
      };
    })
    .immediate();
}

/** The ticket that `takeLease` would take. */
export function nextTicket(
  db: Connection,
  step: WorkStepCode,
  options: { readonly ticket?: number; readonly concurrency: number },
): number | undefined {
  if (step === 100 && options.ticket === undefined)
    return nextToStart(db, options.concurrency);
  const [found] = readyTickets(db, step, options.ticket);
  return found !== undefined &&
    step === 100 &&
    startBlockers(db, found, options.concurrency).length > 0
    ? undefined
    : found;
}

function readyTickets(
  db: Connection,
  step: WorkStepCode,
  ticket: number | undefined,
): number[] {
  const { after, until } = notYetDue(Date.now());
  return db
    .prepare<(string | number | null)[], { id: number }>(
      `SELECT id FROM ticket WHERE status = 'waiting' AND step = ?
         AND (retry_at IS NULL OR retry_at <= ? OR retry_at > ?)
         AND (? IS NULL OR id = ?) ORDER BY priority DESC, id`,
    )
    .all(step, after, until, ticket ?? null, ticket ?? null)
    .map(({ id }) => id);
}

/** Renews a lease, and tells where its work is. False when the lease is not ours any more. */
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

/** Tells the history that a step begins. One more look at what its ticket waits for is no news. */
export function recordStart(db: Connection, actor: string, lease: Lease): void {
  const { ticket, step, run, attempt } = lease;
  if (isKnownToWait(db, lease)) return;
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: ticket,
    what: "started",
    from_state: String(step),
    to_state: String(step),
    run,
    why: attempt === 1 ? null : `attempt ${attempt}`,
  });
}

/** Whether the last that was told of a ticket is that it waits at this step, for this reason or any. */
function isKnownToWait(
  db: Connection,
  { ticket, step }: Lease,
  why?: string,
): boolean {
  const last = lastEvent(db, "ticket", ticket);
  return (
    last?.what === "waiting" &&
    last.from_state === String(step) &&
    (why === undefined || last.why === why)
  );
}

/** What a run leaves behind, recorded in one transaction. */
export interface RunEnd {
  readonly outcome: Outcome;
  readonly reason: string | null;
  /** Name of the artifact that shows a failure. */
  readonly evidence?: string | null;
  readonly artifacts?: readonly NewArtifact[];
  readonly tests?: readonly TestResult[];
  readonly image?: {
    readonly layers: readonly string[];
    readonly digest: string;
    readonly manifest: string;
  };
  readonly base?: string | null;
  readonly published?: {
    readonly revision: number;
    readonly created_at: string;
  };
  readonly stages?: Readonly<Record<string, number>>;
  /** Subtickets that passed this step or failed at it, when they differ from the ticket. */
  readonly failedSubtickets?: readonly number[];
  /** It was looked up that a publication did not happen: the ticket may fail for want of retries. */
  readonly unpublished?: boolean;
  /** Ready again at once: the process died, the failure itself is unknown. */
  readonly retryAtOnce?: boolean;
  /** The step did not begin: what the ticket waits for (no free PPA); costs no retry. */
  readonly waitFor?: string;
}

/** What became of a run that ended: nothing was recorded when its lease was lost meanwhile. */
export type RunRecorded = "recorded" | "cancelled" | "lost";

/**
 * Ends a run and moves its ticket: to the next step when it passed, to 999 when it failed or was
 * cancelled meanwhile, back to waiting after a temporary failure, or to 999 blaming infrastructure
 * when the retries are used up.
 */
export function endRun(
  db: Connection,
  actor: string,
  lease: Lease,
  next: StepCode,
  policy: RetryPolicy,
  tidy: TidyFiles,
  end: RunEnd,
): RunRecorded {
  return db
    .transaction(() => finishRun(db, actor, lease, policy, tidy, end, next))
    .immediate();
}

function finishRun(
  db: Connection,
  actor: string,
  lease: Lease,
  policy: RetryPolicy,
  tidy: TidyFiles,
  end: RunEnd,
  next?: StepCode,
): RunRecorded {
  const at = now();
  const { ticket, step, run } = lease;
  const closed = db
    .prepare(
      "UPDATE run SET finished_at = ?, outcome = ?, reason = ?, evidence = ?, stages = ? WHERE id = ? AND finished_at IS NULL",
    )
    .run(
      at,
      end.outcome,
      end.reason,
      end.evidence ?? null,
      JSON.stringify(end.stages ?? {}),
      run,
    );
  if (closed.changes === 0) return "lost";
  crashPoint("run.closed");
  db.prepare("DELETE FROM progress WHERE run = ?").run(run);
  recordArtifacts(db, ticket, end.artifacts ?? []);
  // A run that was killed, or failed while it stored its files, has left some that no row names.
  tidy(ticket, artifactPlaces(db, ticket));
  recordTests(db, lease, end.tests ?? []);
  if (end.base != null)
    db.prepare("UPDATE ticket SET base_digest = ? WHERE id = ?").run(
      end.base,
      ticket,
    );
  if (end.image !== undefined) {
    db.prepare(
      "INSERT OR REPLACE INTO image (ticket, layers, digest, manifest) VALUES (?, ?, ?, ?)",
    ).run(
      ticket,
      JSON.stringify(end.image.layers),
      end.image.digest,
      end.image.manifest,
    );
  }
  const event = {
    actor,
    subject: "ticket",
    subject_id: ticket,
    from_state: String(step),
    run,
  } as const;
  const why = end.reason === null ? {} : { why: end.reason };
  const cancelled = cancellationOf(db, ticket);
  if (cancelled !== null && next === 1000 && end.outcome === "passed") {
    forgetCancellation(db, ticket);
    recordEvent(db, {
      ...event,
      what: "cancelled too late",
      why: "the archive has it already",
    });
  } else if (
    cancelled !== null &&
    step === 500 &&
    end.outcome === "tmpfail" &&
    end.unpublished !== true
  ) {
    // Only the archive knows whether the publication came through, so the next run looks
    // (engine.ts) and ends the ticket one way or the other.
    db.prepare(
      "UPDATE ticket SET status = 'waiting', updated_at = ? WHERE id = ?",
    ).run(at, ticket);
    recordEvent(db, {
      ...event,
      what: "tmpfail",
      to_state: String(step),
      ...why,
    });
    return "recorded";
  } else if (cancelled !== null) {
    endCancelled(db, ticket, cancelled, actor, run);
    return "cancelled";
  }
  switch (end.outcome) {
    case "passed": {
      if (next === undefined)
        throw new RangeError("a passed run needs the step that follows");
      moveTicket(db, ticket, next, next === 1000 ? "done" : "waiting", at);
      if (end.published !== undefined)
        recordRevision(db, ticket, end.published);
      recordEvent(db, {
        ...event,
        what: "passed",
        to_state: String(next),
        ...why,
      });
      if (next === 1000)
        releasePpa(db, ticket, actor, "the ticket is complete");
      break;
    }
    case "failed":
      failTicket(db, lease, "package", end, at);
      recordEvent(db, { ...event, what: "failed", to_state: "999", ...why });
      releasePpa(db, ticket, actor, "the ticket failed");
      break;
    case "tmpfail": {
      if (end.waitFor !== undefined) {
        db.prepare(
          "UPDATE ticket SET status = 'waiting', waiting_for = ?, updated_at = ? WHERE id = ?",
        ).run(end.waitFor, at, ticket);
        // Waiting for the same thing again is no news, and no attempt: the history would only grow.
        db.prepare("DELETE FROM run WHERE id = ?").run(run);
        if (!isKnownToWait(db, lease, end.waitFor))
          recordEvent(db, {
            ...event,
            what: "waiting",
            to_state: String(step),
            why: end.waitFor,
          });
        break;
      }
      const failures = tmpfailsOf(db, ticket) + 1;
      // A publication may have happened though its run did not pass: not failed before that is known.
      const known = step !== 500 || end.unpublished === true;
      if (failures > policy.limit && known) {
        failTicket(db, lease, "infrastructure", end, at);
        recordEvent(db, {
          ...event,
          what: "failed",
          to_state: "999",
          why: `${end.reason ?? ""} (${failures} attempts)`,
        });
        releasePpa(db, ticket, actor, "the ticket failed");
        break;
      }
      const delay =
        end.retryAtOnce === true ? 0 : retryDelaySeconds(policy, failures);
      const due =
        delay === 0 ? null : new Date(Date.now() + delay * 1000).toISOString();
      db.prepare(
        "UPDATE ticket SET status = 'waiting', tmpfails = ?, retry_at = ?, waiting_for = ?, updated_at = ? WHERE id = ?",
      ).run(
        failures,
        due,
        `retry ${failures} of ${policy.limit}: ${end.reason ?? ""}`,
        at,
        ticket,
      );
      recordEvent(db, {
        ...event,
        what: "tmpfail",
        to_state: String(step),
        ...why,
      });
      break;
    }
  }
  crashPoint("run.recorded");
  return "recorded";
}

/** Who cancelled a ticket or asked for it, or null: read once a second by whoever works on it. */
export function cancellationOf(
  db: Connection,
  ticket: number,
): Cancellation | null {
  const row = db
    .prepare<[number], { at: string; by: string; reason: string | null }>(
      `SELECT cancel_at AS at, cancel_by AS "by", cancel_reason AS reason FROM ticket
       WHERE id = ? AND cancel_at IS NOT NULL`,
    )
    .get(ticket);
  return row ?? null;
}

function forgetCancellation(db: Connection, ticket: number): void {
  db.prepare(
    "UPDATE ticket SET cancel_at = NULL, cancel_by = NULL, cancel_reason = NULL WHERE id = ?",
  ).run(ticket);
}

/** Ends a cancelled ticket that nothing works on any more; it remembers the step it would go on at. */
function endCancelled(
  db: Connection,
  ticket: number,
  cancelled: Cancellation,
  actor: string,
  run: number | null,
): void {
  const was = db
    .prepare<[number], { step: StepCode; resume_step: StepCode | null }>(
      "SELECT step, resume_step FROM ticket WHERE id = ?",
    )
    .get(ticket);
  const step = was?.step ?? 100;
  moveTicket(db, ticket, 999, "failed", now());
  db.prepare("UPDATE ticket SET resume_step = ? WHERE id = ?").run(
    step === 100 ? (was?.resume_step ?? 100) : step,
    ticket,
  );
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: ticket,
    what: "cancelled",
    from_state: String(step),
    to_state: "999",
    why: cancelledInWords(cancelled),
    run,
  });
  crashPoint("cancel.recorded");
  releasePpa(db, ticket, actor, "the ticket was cancelled");
}

/**
 * Cancels a ticket: at once when nothing works on it, else the process that does ends it. Called
 * inside the transaction that found the ticket open.
 */
export function cancelTicket(
  db: Connection,
  ticket: number,
  kind: "end" | "ask",
  actor: string,
  reason: string | null,
): void {
  // Asked for twice, the first one counts.
  const asked = db
    .prepare(
      `UPDATE ticket SET cancel_at = ?, cancel_by = ?, cancel_reason = ?, retry_at = NULL
       WHERE id = ? AND cancel_at IS NULL`,
    )
    .run(now(), actor, reason, ticket);
  const cancelled = cancellationOf(db, ticket);
  if (kind === "end" && cancelled !== null) {
    endCancelled(db, ticket, cancelled, actor, null);
  } else if (asked.changes === 1) {
    recordEvent(db, {
      actor,
      subject: "ticket",
      subject_id: ticket,
      what: "cancel asked",
      ...(reason !== null && { why: reason }),
    });
  }
}

/** Starts a ticket that has ended again, to go on at that step; called inside the checking transaction. */
export function reopenTicket(
  db: Connection,
  ticket: number,
  resume: WorkStepCode,
  actor: string,
): void {
  moveTicket(db, ticket, 100, "waiting", now());
  forgetCancellation(db, ticket);
  db.prepare(
    `UPDATE ticket SET resume_step = ?, failure_step = NULL, failure_kind = NULL, failure_reason = NULL,
       failure_artifact = NULL WHERE id = ?`,
  ).run(resume === 100 ? null : resume, ticket);
  // It is made anew; tests must not run on the old one when that is passed over.
  crashPoint("retry.recorded");
  if (resume <= 300)
    db.prepare("DELETE FROM image WHERE ticket = ?").run(ticket);
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: ticket,
    what: "retried",
    from_state: "999",
    to_state: "100",
    why: `to go on at ${resume}`,
  });
}

/** Makes the next attempt due at once; called inside the checking transaction. */
export function retryNow(db: Connection, ticket: number, actor: string): void {
  db.prepare(
    "UPDATE ticket SET retry_at = NULL, updated_at = ? WHERE id = ?",
  ).run(now(), ticket);
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: ticket,
    what: "retried",
    why: "due at once",
  });
}

function tmpfailsOf(db: Connection, ticket: number): number {
  return (
    db
      .prepare<[number], { tmpfails: number }>(
        "SELECT tmpfails FROM ticket WHERE id = ?",
      )
      .get(ticket)?.tmpfails ?? 0
  );
}

function moveTicket(
  db: Connection,
  ticket: number,
  step: StepCode,
  status: string,
  at: string,
): void {
  db.prepare(
    `UPDATE ticket SET step = ?, status = ?, tmpfails = 0, retry_at = NULL, waiting_for = NULL, updated_at = ?,
       resume_step = iif(? < 999, NULL, resume_step) WHERE id = ?`,
  ).run(step, status, at, step, ticket);
  db.prepare("UPDATE subticket SET step = ?, status = ? WHERE ticket = ?").run(
    step,
    status,
    ticket,
  );
}

function failTicket(
  db: Connection,
  { ticket, step }: Lease,
  kind: Blame,
  end: RunEnd,
  at: string,
): void {
  moveTicket(db, ticket, 999, "failed", at);
  db.prepare(
    "UPDATE ticket SET failure_step = ?, failure_kind = ?, failure_reason = ?, failure_artifact = ? WHERE id = ?",
  ).run(
    step,
    kind,
    end.reason ?? "",
    end.evidence ?? lastEvidence(db, ticket, step),
    ticket,
  );
}

/** The log of the last attempt at a step that left one: an attempt whose process died has none. */
function lastEvidence(
  db: Connection,
  ticket: number,
  step: WorkStepCode,
): string | null {
  return (
    db
      .prepare<[number, number], { evidence: string }>(
        `SELECT evidence FROM run WHERE ticket = ? AND step = ? AND evidence IS NOT NULL
         ORDER BY id DESC LIMIT 1`,
      )
      .get(ticket, step)?.evidence ?? null
  );
}

function recordTests(
  db: Connection,
  lease: Lease,
  tests: readonly TestResult[],
): void {
  const insert = db.prepare(
    "INSERT INTO test_result (ticket, run, package, name, result, seconds, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  for (const test of tests)
    insert.run(
      lease.ticket,
      lease.run,
      test.package,
      test.name,
      test.result,
      test.seconds,
      test.detail,
    );
}

function recordRevision(
  db: Connection,
  ticket: number,
  { revision, created_at }: NonNullable<RunEnd["published"]>,
): void {
  db.prepare("UPDATE ticket SET archive_revision = ? WHERE id = ?").run(
    revision,
    ticket,
  );
  const uploads = db
    .prepare<[number], { series: string; source: string; version: string }>(
      `SELECT ticket.series, source_package.name AS source, upload.version FROM subticket
         JOIN ticket ON ticket.id = subticket.ticket JOIN source_package_upload upload ON upload.id = subticket.upload
         JOIN source_package ON source_package.id = upload.source_package WHERE ticket.id = ?`,
    )
    .all(ticket);
  for (const upload of uploads)
    recordPublication(db, { revision, ticket, created_at, ...upload });
}

/**
 * Forgets artifacts of which other files are about to take the place: killed in between, a row would
 * tell the digest of what is not there any more.
 *
 * @returns false, and nothing is forgotten, when the lease was lost
 */
export function forgetArtifacts(
  db: Connection,
  lease: Lease,
  names: readonly string[],
): boolean {
  const forget = db.prepare(
    "DELETE FROM artifact WHERE ticket = ? AND name = ?",
  );
  return db
    .transaction(() => {
      if (!renewLease(db, lease.run)) return false;
      for (const name of names) forget.run(lease.ticket, name);
      return true;
    })
    .immediate();
}

/** Reserves a PPA for a leased ticket and remembers nothing else; null when the pool has none free. */
export function reserveForLease(
  db: Connection,
  lease: Lease,
  actor: string,
): string | null {
  return db.transaction(() => reservePpa(db, lease.ticket, actor)).immediate();
}

/** The image of a ticket as build-image recorded it, or null. */
export function imageOf(
  db: Connection,
  ticket: number,
): { layers: string[]; digest: string; manifest: string } | null {
  const row = db
    .prepare<[number], { layers: string; digest: string; manifest: string }>(
      "SELECT layers, digest, manifest FROM image WHERE ticket = ?",
    )
    .get(ticket);
  return row === undefined
    ? null
    : { ...row, layers: JSON.parse(row.layers) as string[] };
}
