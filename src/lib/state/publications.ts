import type { Connection } from "./database.ts";
import { firstValue } from "./database.ts";

/**
 * SQL: all that the series has after something was taken out of it is recorded anew with that; what is
 * older is gone.
 */
const isThere = `publication.revision >= coalesce(
  (SELECT max(revision) FROM landing WHERE series = publication.series AND ticket IS NULL), 0)`;

/** The version of a source package that the archive has now in that series, or null. */
export function archiveVersion(
  db: Connection,
  series: string,
  source: string,
): string | null {
  return firstValue<string>(
    db,
    `SELECT version FROM publication WHERE series = ? AND source = ? AND ${isThere} ORDER BY revision DESC LIMIT 1`,
    series,
    source,
  );
}

/** A ticket in flight with that source package and exactly that version, or null. */
export function ticketInFlight(
  db: Connection,
  source: string,
  version: string,
): number | null {
  return firstValue<number>(
    db,
    `SELECT ticket.id FROM source_package_upload upload
           JOIN source_package ON source_package.id = upload.source_package
           JOIN subticket ON subticket.upload = upload.id
           JOIN ticket ON ticket.id = subticket.ticket
         WHERE source_package.name = ? AND upload.version = ? AND ticket.step < 999 LIMIT 1`,
    source,
    version,
  );
}

/** A file of a source package that a ticket in flight has, in another version of the source. */
export interface FileInFlight {
  readonly ticket: number;
  readonly sha256: string;
}

/** The files of that name, and not these contents, in tickets in flight with another version of the source. */
export function otherFileInFlight(
  db: Connection,
  { source, version }: { readonly source: string; readonly version: string },
  file: { readonly name: string; readonly sha256: string },
): FileInFlight | null {
  return (
    db
      .prepare<[string, string, string, string], FileInFlight>(
        `SELECT ticket.id AS ticket, artifact.sha256 FROM source_package_upload upload
           JOIN source_package ON source_package.id = upload.source_package
           JOIN subticket ON subticket.upload = upload.id
           JOIN ticket ON ticket.id = subticket.ticket
           JOIN artifact ON artifact.ticket = ticket.id
         WHERE source_package.name = ? AND upload.version <> ? AND ticket.step < 999
           AND artifact.type = 'SPU' AND artifact.name = ? AND artifact.sha256 <> ? LIMIT 1`,
      )
      .get(source, version, file.name, file.sha256) ?? null
  );
}

/**
 * Records what a revision publishes; recording it twice changes nothing. It may be recorded late, after
 * newer ones.
 */
export function recordPublication(
  db: Connection,
  row: {
    revision: number;
    series: string;
    source: string;
    version: string;
    ticket: number | null;
    created_at: string;
  },
): void {
  const newest = newestRow(db);
  db.prepare(
    `INSERT INTO publication (revision, series, source, version, ticket, created_at)
     VALUES (@revision, @series, @source, @version, @ticket, @created_at) ON CONFLICT DO NOTHING`,
  ).run(row);
  // Its row stays the last, where newestRevision() finds it.
  if (newest !== undefined && newest.revision > row.revision)
    db.prepare(
      "UPDATE publication SET rowid = (SELECT max(rowid) + 1 FROM publication) WHERE rowid = ?",
    ).run(newest.rowid);
}

/** The newest version of every source package in every series, as recorded. */
export function publishedNow(
  db: Connection,
): { series: string; source: string; version: string }[] {
  return db
    .prepare<[], { series: string; source: string; version: string }>(
      // SQLite takes the other columns from the row that has the maximum.
      `SELECT series, source, version, max(revision) FROM publication WHERE ${isThere} GROUP BY series, source`,
    )
    .all();
}

/** The newest revision of the archive that is recorded; 0 for none. */
export function newestRevision(db: Connection): number {
  return newestRow(db)?.revision ?? 0;
}

function newestRow(
  db: Connection,
): { readonly rowid: number; readonly revision: number } | undefined {
  return db
    .prepare<[], { rowid: number; revision: number }>(
      // The rows grow with the revisions; a maximum would read them all.
      "SELECT rowid, revision FROM publication ORDER BY rowid DESC LIMIT 1",
    )
    .get();
}
