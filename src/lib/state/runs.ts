import { cancelledInWords } from "../domain/cancel.ts";
import { pendingInWords } from "../domain/pending.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import type { StepCode, WorkStepCode } from "../domain/step.ts";
import { completeStep, failedStep } from "../domain/step.ts";
import type { Blame } from "../domain/ticket.ts";
import type { Transition } from "../domain/transition.ts";
import { transitionAfter } from "../domain/transition.ts";
import { now } from "../host/clock.ts";
import { crashPoint } from "../files/crash-point.ts";
import {
  cancellationOf,
  endCancelled,
  forgetCancellation,
} from "./cancellation.ts";
import type { Connection } from "./database.ts";
import { firstValue } from "./database.ts";
import { lastEvent, recordTicketEvent } from "./events.ts";
import { dropJob, endJob, lookAt } from "./jobs.ts";
import type { DeadLease, Lease } from "./leases.ts";
import { tmpfailsOf } from "./leases.ts";
import { jobOf } from "./open-jobs.ts";
import { releasePpa } from "./ppas.ts";
import type { RunEnd } from "./run-products.ts";
import { keepProducts, recordRevision } from "./run-products.ts";
import { setTicketAside } from "./set-aside.ts";
import { moveTicket } from "./ticket-step.ts";

/** Gives up a lease that was taken over: the run ends as tmpfail, and the ticket is ready again. */
export function giveUpLease(
  db: Connection,
  actor: string,
  lease: DeadLease,
  policy: RetryPolicy,
): void {
  db.transaction(() =>
    finishRun(db, actor, lease, policy, {
      outcome: "tmpfail",
      reason: lease.reason,
      retryAtOnce: true,
    }),
  ).immediate();
}

/** Records that a step begins, unless it only checks again for what the ticket waits for. */
export function recordStart(db: Connection, actor: string, lease: Lease): void {
  const { ticket, step, run, attempt } = lease;
  if (isKnownToWait(db, lease)) return;
  recordTicketEvent(db, actor, ticket, "started", {
    from_state: String(step),
    to_state: String(step),
    run,
    why: attempt === 1 ? null : `attempt ${attempt}`,
  });
}

/** Whether the ticket's last event already says that it waits at this step, for this or any reason. */
function isKnownToWait(
  db: Connection,
  { ticket, step }: Lease,
  why?: string,
): boolean {
  const last = lastEvent(db, "ticket", ticket);
  return (
    (last?.what === "waiting" || last?.what === "pending") &&
    last.from_state === String(step) &&
    (why === undefined || last.why === why)
  );
}

/** How the end of a run was recorded; not at all if its lease was lost. */
type RunRecorded = "recorded" | "cancelled" | "lost";

/** Ends a run and moves its ticket according to `transitionAfter`: to a later step, to its end, or back to waiting. */
export function endRun(
  db: Connection,
  actor: string,
  lease: Lease,
  policy: RetryPolicy,
  end: RunEnd,
): RunRecorded {
  return db
    .transaction(() => finishRun(db, actor, lease, policy, end))
    .immediate();
}

/** A run whose end is being recorded, with the time of the transaction. */
interface Ending {
  readonly db: Connection;
  readonly actor: string;
  readonly lease: Lease;
  readonly end: RunEnd;
  readonly at: string;
}

function finishRun(
  db: Connection,
  actor: string,
  lease: Lease,
  policy: RetryPolicy,
  ended: RunEnd,
): RunRecorded {
  const { ticket, step, run } = lease;
  const cancelled = cancellationOf(db, ticket);
  const end: RunEnd =
    cancelled !== null && ended.outcome === "pending"
      ? { outcome: "tmpfail", reason: cancelledInWords(cancelled) }
      : ended;
  const ending: Ending = { db, actor, lease, end, at: now() };
  if (!closeRun(ending)) return "lost";
  db.prepare(
    "UPDATE subticket SET status = 'waiting' WHERE ticket = ? AND status = 'running'",
  ).run(ticket);
  crashPoint("run.closed");
  keepProducts(db, lease, end);
  if (end.job === "ended") endJob(db, ticket);
  else if (end.job === "dropped") dropJob(db, ticket);
  lookAt(db, ticket, null);
  const following = transitionAfter(
    {
      step,
      resume: resumeOf(db, ticket),
      tmpfails: tmpfailsOf(db, ticket),
      cancelled: cancelled !== null,
    },
    end,
    policy,
    Date.now(),
  );
  if (cancelled !== null && following.kind === "cancelled") {
    endCancelled(db, ticket, cancelled, actor, run);
    return "cancelled";
  }
  if (cancelled !== null && following.kind === "goOn") {
    forgetCancellation(db, ticket);
    tell(ending, "cancelled too late", null, "the archive has it already");
  }
  follow(ending, following);
  crashPoint("run.recorded");
  return "recorded";
}

function follow(ending: Ending, following: Transition): void {
  const { end } = ending;
  switch (following.kind) {
    case "goOn":
      goOn(ending, following.to);
      break;
    case "fail":
      fail(ending, following.blame, following.reason);
      break;
    case "tryAgain":
      tryAgain(ending, following);
      break;
    case "wait":
      waitFor(ending, following.for);
      break;
    case "lookAgain":
      waitForJob(ending, following.at);
      break;
    case "setAside":
      setTicketAside(
        ending.db,
        ending.lease.ticket,
        {
          needs: following.needs,
          reason: end.reason ?? "",
          remedy: end.remedy ?? null,
          run: ending.lease.run,
        },
        ending.actor,
      );
      break;
    case "lookUp":
      lookUp(ending);
      break;
    case "cancelled":
      throw new RangeError(`no cancellation: ${end.reason ?? ""}`);
  }
}

function resumeOf(db: Connection, ticket: number): WorkStepCode | null {
  return firstValue<WorkStepCode>(
    db,
    "SELECT resume_step FROM ticket WHERE id = ?",
    ticket,
  );
}

/**
 * Closes the run; false when the lease was lost and another process has closed it. The row of a pending
 * run is deleted: the next poll of its job continues the same attempt.
 */
function closeRun({ db, lease, end, at }: Ending): boolean {
  if (end.outcome === "pending") {
    db.prepare("DELETE FROM progress WHERE run = ?").run(lease.run);
    return (
      db
        .prepare("DELETE FROM run WHERE id = ? AND finished_at IS NULL")
        .run(lease.run).changes === 1
    );
  }
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
      lease.run,
    );
  return closed.changes === 1;
}

function tell(
  { db, actor, lease: { ticket, step, run } }: Ending,
  what: string,
  to: StepCode | null,
  why: string | null,
): void {
  recordTicketEvent(db, actor, ticket, what, {
    from_state: String(step),
    ...(to !== null && { to_state: String(to) }),
    ...(why !== null && { why }),
    run,
  });
}

/**
 * Only the archive knows whether the publication of a cancelled ticket succeeded, so the next run checks
 * it (engine/perform.ts) and ends the ticket accordingly.
 */
function lookUp(ending: Ending): void {
  setWaiting(ending, {});
  tell(ending, "tmpfail", ending.lease.step, ending.end.reason);
}

function goOn(ending: Ending, next: StepCode): void {
  const { db, actor, lease, end, at } = ending;
  const { ticket } = lease;
  const done = next === completeStep;
  moveTicket(db, ticket, next, done ? "done" : "waiting", at);
  if (end.published !== undefined) recordRevision(db, ticket, end.published);
  tell(ending, "passed", next, end.reason);
  if (done) releasePpa(db, ticket, actor, "the ticket is complete");
}

function fail(ending: Ending, kind: Blame, why: string | null): void {
  const { db, actor, lease, end, at } = ending;
  const { ticket, step } = lease;
  moveTicket(db, ticket, failedStep, "failed", at);
  db.prepare(
    "UPDATE ticket SET failure_step = ?, failure_kind = ?, failure_reason = ?, failure_artifact = ? WHERE id = ?",
  ).run(
    step,
    kind,
    end.reason ?? "",
    end.evidence ?? lastEvidence(db, ticket, step),
    ticket,
  );
  tell(ending, "failed", failedStep, why);
  releasePpa(db, ticket, actor, "the ticket failed");
}

/** Records what a ticket waits for. Waiting for the same thing again is neither an event nor an attempt. */
function waitFor(ending: Ending, what: string): void {
  const { db, lease } = ending;
  setWaiting(ending, { for: what });
  db.prepare("DELETE FROM run WHERE id = ?").run(lease.run);
  if (!isKnownToWait(db, lease, what))
    tell(ending, "waiting", lease.step, what);
}

/** Leaves a job to its remote engine until it is polled again. That it is still running is not an event. */
function waitForJob(ending: Ending, at: string): void {
  const { db, lease } = ending;
  const job = jobOf(db, lease.ticket);
  if (job?.id == null)
    throw new RangeError(`ticket ${lease.ticket} has no job`);
  lookAt(db, lease.ticket, at);
  setWaiting(ending, { tmpfails: job.tmpfails, until: at });
  if (!isKnownToWait(db, lease))
    tell(
      ending,
      "pending",
      lease.step,
      pendingInWords({ job: job.id, of: job.remote, look_again_at: at }),
    );
}

function tryAgain(
  ending: Ending,
  { failures, at: due, waitingFor }: Transition & { kind: "tryAgain" },
): void {
  setWaiting(ending, { tmpfails: failures, until: due, for: waitingFor });
  tell(ending, "tmpfail", ending.lease.step, ending.end.reason);
}

/** Sets a ticket to wait at its step: until when, what for, and after how many temporary failures. */
function setWaiting(
  { db, lease, end, at }: Ending,
  wait: { tmpfails?: number; until?: string | null; for?: string },
): void {
  db.prepare(
    `UPDATE ticket SET status = 'waiting', tmpfails = coalesce(?, tmpfails), retry_at = ?, waiting_for = ?,
       remedy = ?, updated_at = ? WHERE id = ?`,
  ).run(
    wait.tmpfails ?? null,
    wait.until ?? null,
    wait.for ?? null,
    end.remedy == null ? null : JSON.stringify(end.remedy),
    at,
    lease.ticket,
  );
}

/** Name of the log of the last attempt that has one; an attempt whose process died has none. */
function lastEvidence(
  db: Connection,
  ticket: number,
  step: WorkStepCode,
): string | null {
  return firstValue<string>(
    db,
    `SELECT evidence FROM run WHERE ticket = ? AND step = ? AND evidence IS NOT NULL
         ORDER BY id DESC LIMIT 1`,
    ticket,
    step,
  );
}
