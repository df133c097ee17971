import type { Connection } from "./database.ts";
import type { TakingOut } from "./landings.ts";
import { recordTakingOut } from "./landings.ts";

/**
 * Records that a revision went back to an older one, and which landed tickets it took out or brought
 * back; recording it twice changes nothing. Call inside a transaction.
 */
export function recordRevert(
  db: Connection,
  revert: TakingOut & { readonly revertsTo: number },
  actor: string,
): void {
  db.prepare(
    "INSERT INTO revert (revision, reverts_to) VALUES (?, ?) ON CONFLICT DO NOTHING",
  ).run(revert.revision, revert.revertsTo);
  recordTakingOut(db, revert, actor);
}
