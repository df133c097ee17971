import type { Connection } from "./database.ts";
import { firstColumn } from "./database.ts";

/** Fingerprints of the uploaders' keys that were added, and not removed since. */
export function recordedUploaders(db: Connection): string[] {
  return firstColumn<string>(
    db,
    // SQLite takes the other column from the row that has the maximum.
    `SELECT subject_id FROM (SELECT subject_id, what, max(id) FROM event WHERE subject = 'uploader' GROUP BY subject_id)
       WHERE what <> 'removed' ORDER BY subject_id`,
  );
}
