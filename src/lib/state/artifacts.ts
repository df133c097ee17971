import type { ArtifactType, FileRef } from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";

/** A file in the data store that is to be recorded. */
export interface NewArtifact extends FileRef {
  readonly type: ArtifactType;
  readonly size: number;
  readonly sha256: string;
  readonly subticket: number | null;
}

/** Writes artifact rows; a row for the same name is replaced. */
export function recordArtifacts(
  db: Connection,
  ticket: number,
  artifacts: readonly NewArtifact[],
): void {
  const insert = db.prepare(
    `INSERT INTO artifact (ticket, subticket, name, type, container, size, sha256, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (ticket, name) DO UPDATE SET subticket = excluded.subticket, type = excluded.type,
       container = excluded.container, size = excluded.size, sha256 = excluded.sha256, created_at = excluded.created_at,
       expired_at = NULL, expiring = 0`,
  );
  for (const { name, type, container, size, sha256, subticket } of artifacts) {
    insert.run(ticket, subticket, name, type, container, size, sha256, now());
  }
}

/** Where a ticket's recorded files are. */
export function artifactPlaces(db: Connection, ticket: number): FileRef[] {
  return db
    .prepare<[number], FileRef>(
      "SELECT container, name FROM artifact WHERE ticket = ?",
    )
    .all(ticket);
}
