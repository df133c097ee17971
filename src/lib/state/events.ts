import type { Event } from "../domain/event.ts";
import type { LogRecord } from "../domain/log-record.ts";
import type { StepCode } from "../domain/step.ts";
import { stepOf, steps } from "../domain/step.ts";
import { redact, secretsOf } from "../domain/redact.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { exportSoon } from "./log-export.ts";

export type NewEvent = Pick<Event, "actor" | "subject" | "what"> &
  Partial<Pick<Event, "from_state" | "to_state" | "why" | "run" | "ticket">> & {
    subject_id: string | number;
  };

/**
 * Appends an event to the history. Call inside the transaction of the change, after the change; the event
 * is written to the log file once that transaction is committed.
 *
 * The time is read under the write lock, so that the history is in chronological order.
 */
export function recordEvent(db: Connection, event: NewEvent): void {
  if (!db.inTransaction) {
    db.transaction(() => {
      recordEvent(db, event);
    }).immediate();
    return;
  }
  db.prepare(
    `INSERT INTO event (at, actor, subject, subject_id, what, from_state, to_state, why, run, ticket, sources)
     VALUES (@at, @actor, @subject, @subject_id, @what, @from_state, @to_state, @why, @run, @ticket,
       CASE WHEN @subject = 'ticket' THEN (
         SELECT json_group_array(json_object('source', source_package.name, 'version', upload.version,
             'step', subticket.step, 'status', subticket.status) ORDER BY subticket.id)
           FROM subticket JOIN source_package_upload upload ON upload.id = subticket.upload
           JOIN source_package ON source_package.id = upload.source_package WHERE subticket.ticket = @ticket) END)`,
  ).run({
    at: now(),
    actor: event.actor,
    subject: event.subject,
    subject_id: String(event.subject_id),
    what: event.what,
    from_state: event.from_state ?? null,
    to_state: event.to_state ?? null,
    // Messages of tools and people may contain passwords, and the history is public.
    why: event.why == null ? null : redact(event.why, secretsOf(process.env)),
    run: event.run ?? null,
    ticket:
      event.ticket ??
      (event.subject === "ticket" ? Number(event.subject_id) : null),
  });
  exportSoon(db, logRecord);
}

/** {@link recordEvent} for an event of a ticket. */
export function recordTicketEvent(
  db: Connection,
  actor: string,
  ticket: number,
  what: string,
  more: Pick<NewEvent, "from_state" | "to_state" | "why" | "run"> = {},
): void {
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: ticket,
    what,
    ...more,
  });
}

/** Which events to list. */
interface EventFilter {
  readonly ticket?: number;
  /** ISO 8601 UTC; events at or after it. */
  readonly since?: string;
  /** Limits the result to that many of the newest events. */
  readonly last?: number;
}

/** The matching events, oldest first. */
export function listEvents(db: Connection, filter: EventFilter): Event[] {
  return db
    .prepare<
      { ticket: number | null; since: string | null; last: number },
      Event
    >(
      `SELECT * FROM event WHERE ${filter.ticket === undefined ? "@ticket IS NULL" : "ticket = @ticket"}
         AND (@since IS NULL OR at >= @since) ORDER BY id DESC LIMIT @last`,
    )
    .all({
      ticket: filter.ticket ?? null,
      since: filter.since ?? null,
      last: filter.last ?? -1,
    })
    .reverse();
}

/** The newest event about a subject, or undefined. */
export function lastEvent(
  db: Connection,
  subject: Event["subject"],
  subjectId: string | number,
): Event | undefined {
  return db
    .prepare<[string, string], Event>(
      "SELECT * FROM event WHERE subject = ? AND subject_id = ? ORDER BY id DESC LIMIT 1",
    )
    .get(subject, String(subjectId));
}

/** An event as the log and `ubuntu-ci log --json` show it. */
export function logRecord(event: Event): LogRecord {
  const sources =
    event.sources === null
      ? []
      : (JSON.parse(event.sources) as {
          source: string;
          version: string;
          step: StepCode;
          status: string;
        }[]);
  const code =
    event.subject === "ticket"
      ? (codeOf(event.from_state) ?? codeOf(event.to_state))
      : undefined;
  return {
    at: event.at,
    id: event.id,
    actor: event.actor,
    subject: event.subject,
    subject_id: event.subject_id,
    ticket: event.ticket,
    step: code === undefined ? null : stepOf(code),
    run: event.run,
    what: event.what,
    from: event.from_state,
    to: event.to_state,
    why: event.why,
    ...(sources.length > 0 && {
      sources: sources.map((source) => ({
        ...source,
        step: stepOf(source.step),
      })),
    }),
  };
}

function codeOf(state: string | null): StepCode | undefined {
  return steps.find(({ code }) => String(code) === state)?.code;
}

/** Who put a ticket on hold, and when; null when the history does not say. */
export function holdOf(
  db: Connection,
  ticket: number,
): { by: string; at: string } | null {
  return (
    db
      .prepare<[string], { by: string; at: string }>(
        `SELECT actor AS "by", at FROM event WHERE subject = 'ticket' AND subject_id = ?
           AND (what = 'held' OR (what = 'created' AND to_state IN ('held', 'draft'))) ORDER BY id DESC LIMIT 1`,
      )
      .get(String(ticket)) ?? null
  );
}

/** Whether a base of that series was ever made. */
export function hadBase(db: Connection, series: string): boolean {
  const made = db
    .prepare<[string], { id: number }>(
      "SELECT id FROM event WHERE subject = 'base' AND what = 'made' AND subject_id GLOB 'base-' || ? || '-*' LIMIT 1",
    )
    .get(series);
  return made !== undefined;
}
