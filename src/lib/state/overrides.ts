import type { Override } from "../domain/ticket.ts";
import type { OverrideTarget } from "../domain/override.ts";
import { overrideInWords, untilInWords } from "../domain/override.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { recordTicketEvent } from "./events.ts";

/** Adds an override. Call inside the transaction that checked it. */
export function addOverride(
  db: Connection,
  ticket: number,
  target: OverrideTarget,
  reason: string,
  until: string | null,
  actor: string,
): void {
  db.prepare(
    "INSERT INTO override (ticket, kind, target, reason, until, actor, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
  ).run(ticket, target.kind, target.target, reason, until, actor, now());
  recordTicketEvent(db, actor, ticket, "overridden", {
    why: `${overrideInWords(target)}${untilInWords({ until })}: ${reason}`,
  });
}

/** Withdraws an override; it stays on record. */
export function undoOverride(
  db: Connection,
  ticket: number,
  override: Override,
  actor: string,
): void {
  db.prepare(
    "UPDATE override SET undone_at = ?, undone_by = ? WHERE id = ? AND undone_at IS NULL",
  ).run(now(), actor, override.id);
  recordTicketEvent(db, actor, ticket, "override undone", {
    why: overrideInWords(override),
  });
}
