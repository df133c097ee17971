import type { Connection } from "./database.ts";

/** Who made a revision of the archive, and why. */
export interface RevisionMaker {
  readonly by: string | null;
  readonly why: string | null;
}

/**
 * Who is behind each revision, and why: the owner of the ticket that it publishes and the ticket's
 * title, or whoever went back to an older one.
 */
export function revisionMakers(
  db: Connection,
): (revision: number, ticket: number | null) => RevisionMaker {
  const ofTicket = db.prepare<[number], RevisionMaker>(
    `SELECT person.email AS "by", ticket.title AS why FROM ticket JOIN person ON person.id = ticket.owner
     WHERE ticket.id = ?`,
  );
  const ofEvent = db.prepare<[string], RevisionMaker>(
    `SELECT actor AS "by", why FROM event WHERE subject = 'archive' AND subject_id = ? ORDER BY id DESC LIMIT 1`,
  );
  return (revision, ticket) =>
    (ticket === null
      ? ofEvent.get(String(revision))
      : ofTicket.get(ticket)) ?? { by: null, why: null };
}
