import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { firstValue } from "./database.ts";
import { recordEvent } from "./events.ts";

/** The revision of a series that was promoted last, or null. */
export function deployedRevision(
  db: Connection,
  series: string,
): number | null {
  return firstValue<number>(
    db,
    "SELECT revision FROM promotion WHERE series = ? ORDER BY id DESC LIMIT 1",
    series,
  );
}

/** SQL: promotions of each series that clients may rely on: the last three, and those of three days. */
const lately = `SELECT revision, series FROM (
  SELECT *, row_number() OVER (PARTITION BY series ORDER BY id DESC) AS age FROM promotion)
  WHERE age <= 3 OR at > @since`;

const since = () => new Date(Date.now() - 3 * 24 * 3_600_000).toISOString();

/** The revisions that the archive has to keep for the stable suites. */
export function promotedRevisions(db: Connection): number[] {
  return db
    .prepare<{ since: string }, number>(
      `SELECT DISTINCT revision FROM (${lately}) ORDER BY revision`,
    )
    .pluck()
    .all({ since: since() });
}

/** The revisions that a series' stable suite has shown lately, ascending. */
export function promotedLately(db: Connection, series: string): number[] {
  return db
    .prepare<{ since: string; series: string }, number>(
      `SELECT DISTINCT revision FROM (${lately}) WHERE series = @series ORDER BY revision`,
    )
    .pluck()
    .all({ since: since(), series });
}

/** Records a promotion; the same again changes nothing. */
export function recordPromotion(
  db: Connection,
  promotion: {
    readonly series: string;
    readonly revision: number;
    readonly forced: boolean;
    readonly reason: string | null;
  },
  actor: string,
): void {
  const { series, revision, forced, reason } = promotion;
  db.transaction(() => {
    const before = deployedRevision(db, series);
    if (before === revision) return;
    db.prepare(
      "INSERT INTO promotion (series, revision, forced, reason, actor, at) VALUES (?, ?, ?, ?, ?, ?)",
    ).run(series, revision, forced ? 1 : 0, reason, actor, now());
    recordEvent(db, {
      actor,
      subject: "archive",
      subject_id: `${series}-stable`,
      what: forced ? "promoted by force" : "promoted",
      from_state: before === null ? null : String(before),
      to_state: String(revision),
      why: reason,
    });
  }).immediate();
}
