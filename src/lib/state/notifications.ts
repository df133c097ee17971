import type { Told } from "../domain/reminder.ts";
import { crashPoint } from "../files/crash-point.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { firstColumn, firstValue } from "./database.ts";
import type { NewEvent } from "./events.ts";
import { recordEvent } from "./events.ts";

/** A mail that is to be sent. */
export interface NewNotification {
  /** Message-ID with its brackets. */
  readonly message_id: string;
  readonly recipient: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** A mail that was to be sent, and has not been. */
export interface UnsentNotification extends NewNotification {
  readonly id: number;
  readonly intended_at: string;
  /** Why the last attempt did not send it, or null. */
  readonly trouble: string | null;
}

/** Up to where reminders have got: whoever plans from here is the only one that may record what it planned. */
export interface RemindersSoFar {
  /** The newest event that owners were told of; null before the first pass. */
  readonly event: number | null;
  /** Number of the newest notification; 0 before the first. */
  readonly notification: number;
}

export function remindersSoFar(db: Connection): RemindersSoFar {
  return {
    event: firstValue<number>(db, "SELECT event FROM news_told"),
    notification:
      firstValue<number>(
        db,
        "SELECT seq FROM sqlite_sequence WHERE name = 'notification'",
      ) ?? 0,
  };
}

/** Number of the newest event before that time; 0 when there is none. */
export function eventBefore(db: Connection, at: string): number {
  return (
    firstValue<number>(
      db,
      // Events are in the order of their times: only those since then are read.
      "SELECT id FROM event WHERE at < ? ORDER BY id DESC LIMIT 1",
      at,
    ) ?? 0
  );
}

/** The tickets that failed or were published after that event, each once. */
export function ticketsEndedSince(db: Connection, event: number): number[] {
  return firstColumn<number>(
    db,
    `SELECT DISTINCT ticket FROM event NOT INDEXED WHERE id > ? AND subject = 'ticket'
       AND to_state IN ('999', '1000') AND what IN ('failed', 'passed') ORDER BY ticket`,
    event,
  );
}

/** Of what everybody was reminded lately. */
export function listTold(db: Connection): Told[] {
  return db
    .prepare<[], Told>("SELECT recipient, topic, times, told_at FROM reminder")
    .all();
}

/** Longer than any gap between two reminders, in days. */
const keptDays = 60;

/**
 * Records mails that are to be sent, of what they remind, and up to which event they tell what happened.
 *
 * @param planned where reminders were when they were planned
 * @param noted what the history is to tell besides
 * @returns false when another pass has recorded its own since: then nothing is recorded
 */
export function recordIntents(
  db: Connection,
  planned: RemindersSoFar,
  event: number,
  mails: readonly NewNotification[],
  told: readonly Told[],
  noted: readonly NewEvent[],
): boolean {
  return db
    .transaction(() => {
      const found = remindersSoFar(db);
      if (
        found.event !== planned.event ||
        found.notification !== planned.notification
      )
        return false;
      const at = now();
      const insert = db.prepare(
        `INSERT INTO notification (message_id, recipient, subject, text, html, intended_at)
         VALUES (@message_id, @recipient, @subject, @text, @html, @at)`,
      );
      for (const mail of mails) insert.run({ ...mail, at });
      const remember = db.prepare(
        `INSERT INTO reminder (recipient, topic, times, told_at) VALUES (@recipient, @topic, @times, @told_at)
         ON CONFLICT DO UPDATE SET times = excluded.times, told_at = excluded.told_at`,
      );
      for (const one of told) remember.run(one);
      for (const one of noted) recordEvent(db, one);
      if (found.event !== event)
        db.prepare(
          `INSERT INTO news_told (only_one, event) VALUES (1, ?)
           ON CONFLICT DO UPDATE SET event = excluded.event`,
        ).run(event);
      if (told.length > 0) forgetOld(db, at);
      crashPoint("reminder.recorded");
      return true;
    })
    .immediate();
}

function forgetOld(db: Connection, at: string): void {
  const old = new Date(Date.parse(at) - keptDays * 86_400_000).toISOString();
  db.prepare("DELETE FROM reminder WHERE told_at < ?").run(old);
  db.prepare("DELETE FROM notification WHERE ended_at < ?").run(old);
}

/** The mails that are to be sent, in the order in which they were planned. */
export function unsentNotifications(db: Connection): UnsentNotification[] {
  return db
    .prepare<[], UnsentNotification>(
      `SELECT id, message_id, recipient, subject, text, html, intended_at, trouble
       FROM notification WHERE ended_at IS NULL ORDER BY id`,
    )
    .all();
}

/** Records that a mail was sent, or that it never will be; what it said is not needed any more. */
export function endNotification(
  db: Connection,
  { id, recipient, subject }: UnsentNotification,
  outcome: "sent" | "refused",
  reason: string | null,
  actor: string,
): void {
  db.transaction(() => {
    db.prepare(
      "UPDATE notification SET ended_at = ?, outcome = ?, trouble = ?, text = NULL, html = NULL WHERE id = ?",
    ).run(now(), outcome, reason, id);
    recordEvent(db, {
      actor,
      subject: "reminder",
      subject_id: id,
      what: outcome,
      why: `to ${recipient}: ${subject}${reason === null ? "" : ` (${reason})`}`,
    });
  }).immediate();
}

/** Records why a mail could not be sent just now; the history has each reason once. */
export function recordTrouble(
  db: Connection,
  { id, recipient, trouble }: UnsentNotification,
  reason: string,
  actor: string,
): void {
  if (trouble === reason) return;
  db.transaction(() => {
    db.prepare("UPDATE notification SET trouble = ? WHERE id = ?").run(
      reason,
      id,
    );
    recordEvent(db, {
      actor,
      subject: "reminder",
      subject_id: id,
      what: "not sent",
      why: `to ${recipient}: ${reason}`,
    });
  }).immediate();
}

/** The mail that has waited longest to be sent, or undefined. */
export function oldestUnsent(
  db: Connection,
):
  | Pick<UnsentNotification, "recipient" | "intended_at" | "trouble">
  | undefined {
  return db
    .prepare<
      [],
      Pick<UnsentNotification, "recipient" | "intended_at" | "trouble">
    >(
      `SELECT recipient, intended_at, trouble FROM notification WHERE ended_at IS NULL ORDER BY id LIMIT 1`,
    )
    .get();
}
