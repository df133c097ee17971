import type { RetryPolicy } from "../domain/retry.ts";
import { retryDelaySeconds } from "../domain/retry.ts";
import type { StepCode, WorkStepCode } from "../domain/step.ts";
import type { Blame, Outcome, TestResult } from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import { crashPoint } from "../files/crash-point.ts";
import type { NewArtifact } from "./artifacts.ts";
import { recordArtifacts } from "./artifacts.ts";
import {
  cancellationOf,
  endCancelled,
  forgetCancellation,
} from "./cancellation.ts";
import type { Connection } from "./database.ts";
import { lastEvent, recordEvent } from "./events.ts";
import { recordImage } from "./images.ts";
import type { DeadLease, Lease } from "./leases.ts";
import { renewLease, tmpfailsOf } from "./leases.ts";
import { releasePpa } from "./ppas.ts";
import { recordPublication } from "./publications.ts";
import { moveTicket } from "./ticket-step.ts";

/** Gives up a lease that was taken over: its run ends as tmpfail, its ticket is ready again at once. */
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
  end: RunEnd,
): RunRecorded {
  return db
    .transaction(() => finishRun(db, actor, lease, policy, end, next))
    .immediate();
}

/** A run that is being recorded: the transaction's moment, and all that is known about it. */
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
  end: RunEnd,
  next?: StepCode,
): RunRecorded {
  const ending: Ending = { db, actor, lease, end, at: now() };
  const { ticket, step, run } = lease;
  if (!closeRun(ending)) return "lost";
  crashPoint("run.closed");
  keepProducts(ending);
  const cancelled = cancellationOf(db, ticket);
  if (cancelled !== null) {
    const landed = next === 1000 && end.outcome === "passed";
    if (
      !landed &&
      step === 500 &&
      end.outcome === "tmpfail" &&
      end.unpublished !== true
    ) {
      lookAgain(ending);
      return "recorded";
    }
    if (!landed) {
      endCancelled(db, ticket, cancelled, actor, run);
      return "cancelled";
    }
    forgetCancellation(db, ticket);
    tell(ending, "cancelled too late", null, "the archive has it already");
  }
  switch (end.outcome) {
    case "passed":
      if (next === undefined)
        throw new RangeError("a passed run needs the step that follows");
      goOn(ending, next);
      break;
    case "failed":
      fail(ending, "package", end.reason);
      break;
    case "tmpfail":
      if (end.waitFor !== undefined) waitFor(ending, end.waitFor);
      else tryAgain(ending, policy);
      break;
  }
  crashPoint("run.recorded");
  return "recorded";
}

/** False when the lease was lost meanwhile: somebody else has closed the run. */
function closeRun({ db, lease, end, at }: Ending): boolean {
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

/** Records what a run made: files, test results, image, and the base it used. */
function keepProducts({ db, lease, end }: Ending): void {
  const { ticket, run } = lease;
  db.prepare("DELETE FROM progress WHERE run = ?").run(run);
  recordArtifacts(db, ticket, end.artifacts ?? []);
  recordTests(db, lease, end.tests ?? []);
  if (end.base != null)
    db.prepare("UPDATE ticket SET base_digest = ? WHERE id = ?").run(
      end.base,
      ticket,
    );
  if (end.image !== undefined) recordImage(db, ticket, end.image);
}

function tell(
  { db, actor, lease: { ticket, step, run } }: Ending,
  what: string,
  to: StepCode | null,
  why: string | null,
): void {
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: ticket,
    what,
    from_state: String(step),
    ...(to !== null && { to_state: String(to) }),
    ...(why !== null && { why }),
    run,
  });
}

/**
 * Only the archive knows whether the publication of a cancelled ticket came through, so the next run
 * looks (engine/perform.ts) and ends the ticket one way or the other.
 */
function lookAgain(ending: Ending): void {
  const { db, lease, end, at } = ending;
  db.prepare(
    "UPDATE ticket SET status = 'waiting', updated_at = ? WHERE id = ?",
  ).run(at, lease.ticket);
  tell(ending, "tmpfail", lease.step, end.reason);
}

function goOn(ending: Ending, next: StepCode): void {
  const { db, actor, lease, end, at } = ending;
  const { ticket } = lease;
  const done = next === 1000;
  moveTicket(db, ticket, next, done ? "done" : "waiting", at);
  if (end.published !== undefined) recordRevision(db, ticket, end.published);
  tell(ending, "passed", next, end.reason);
  if (done) releasePpa(db, ticket, actor, "the ticket is complete");
}

function fail(ending: Ending, kind: Blame, why: string | null): void {
  const { db, actor, lease, end, at } = ending;
  const { ticket, step } = lease;
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
  tell(ending, "failed", 999, why);
  releasePpa(db, ticket, actor, "the ticket failed");
}

/** Waiting for the same thing again is no news, and no attempt: the history would only grow. */
function waitFor(ending: Ending, what: string): void {
  const { db, lease, at } = ending;
  db.prepare(
    "UPDATE ticket SET status = 'waiting', waiting_for = ?, updated_at = ? WHERE id = ?",
  ).run(what, at, lease.ticket);
  db.prepare("DELETE FROM run WHERE id = ?").run(lease.run);
  if (!isKnownToWait(db, lease, what))
    tell(ending, "waiting", lease.step, what);
}

/** Plans the next attempt, or blames infrastructure when the retries are used up. */
function tryAgain(ending: Ending, policy: RetryPolicy): void {
  const { db, lease, end, at } = ending;
  const { ticket, step } = lease;
  const failures = tmpfailsOf(db, ticket) + 1;
  // A publication may have happened though its run did not pass: not failed before that is known.
  const known = step !== 500 || end.unpublished === true;
  if (failures > policy.limit && known) {
    fail(
      ending,
      "infrastructure",
      `${end.reason ?? ""} (${failures} attempts)`,
    );
    return;
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
  tell(ending, "tmpfail", step, end.reason);
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
