import type { LockHolder } from "../locks/lock-holder.ts";
import type { Connection } from "./database.ts";
import { lastEvent, recordEvent } from "./events.ts";

/** Records that a lock is too old, once per holder however many processes notice. */
export function recordOldLock(
  db: Connection,
  actor: string,
  { name, since }: LockHolder,
  warning: string,
): void {
  db.transaction(() => {
    const last = lastEvent(db, "lock", name);
    if (last?.what === "old" && last.from_state === since) return;
    recordEvent(db, {
      actor,
      subject: "lock",
      subject_id: name,
      what: "old",
      from_state: since,
      why: warning,
    });
  }).immediate();
}
