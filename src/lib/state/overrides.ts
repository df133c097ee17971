import type {
  Override,
  OverrideKind,
  OverrideTarget,
} from "../domain/override.ts";
import { overrideInWords } from "../domain/override.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { recordEvent } from "./events.ts";

/** Every override of a ticket, oldest first, those undone too. */
export function overridesOf(db: Connection, ticket: number): Override[] {
  return db
    .prepare<
      [number],
      {
        id: number;
        kind: OverrideKind;
        target: string;
        reason: string;
        actor: string;
        created_at: string;
        undone_at: string | null;
        undone_by: string | null;
      }
    >("SELECT * FROM override WHERE ticket = ? ORDER BY id")
    .all(ticket)
    .map(({ id, kind, target, reason, ...row }) => ({
      id,
      kind,
      target,
      reason,
      by: row.actor,
      at: row.created_at,
      undone:
        row.undone_at === null
          ? null
          : { at: row.undone_at, by: row.undone_by ?? "" },
    }));
}

/** Puts an override in force; called inside the transaction that checked it. */
export function addOverride(
  db: Connection,
  ticket: number,
  target: OverrideTarget,
  reason: string,
  actor: string,
): void {
  db.prepare(
    "INSERT INTO override (ticket, kind, target, reason, actor, created_at) VALUES (?, ?, ?, ?, ?, ?)",
  ).run(ticket, target.kind, target.target, reason, actor, now());
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: ticket,
    what: "overridden",
    why: `${overrideInWords(target)}: ${reason}`,
  });
}

/** Takes an override out of force; it stays on record. */
export function undoOverride(
  db: Connection,
  ticket: number,
  override: Override,
  actor: string,
): void {
  db.prepare(
    "UPDATE override SET undone_at = ?, undone_by = ? WHERE id = ? AND undone_at IS NULL",
  ).run(now(), actor, override.id);
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: ticket,
    what: "override undone",
    why: overrideInWords(override),
  });
}
