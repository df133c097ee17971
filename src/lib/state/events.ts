import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";

/** One line of history: who did what to which thing, from which state to which, and why. */
export interface Event {
  readonly id: number;
  readonly at: string;
  readonly actor: string;
  readonly subject:
    | "ticket"
    | "ppa"
    | "archive"
    | "uploader"
    | "base"
    | "maintenance"
    | "lock"
    | "program"
    | "state";
  readonly subject_id: string;
  readonly what: string;
  readonly from_state: string | null;
  readonly to_state: string | null;
  readonly why: string | null;
  readonly run: number | null;
}

export type NewEvent = Pick<Event, "actor" | "subject" | "what"> &
  Partial<Pick<Event, "from_state" | "to_state" | "why" | "run">> & {
    subject_id: string | number;
  };

/** Appends to the history; called inside the transaction of the change it tells of. */
export function recordEvent(db: Connection, event: NewEvent): void {
  db.prepare(
    `INSERT INTO event (at, actor, subject, subject_id, what, from_state, to_state, why, run)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    now(),
    event.actor,
    event.subject,
    String(event.subject_id),
    event.what,
    event.from_state ?? null,
    event.to_state ?? null,
    event.why ?? null,
    event.run ?? null,
  );
}
