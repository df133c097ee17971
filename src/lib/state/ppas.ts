import { refused } from "../domain/error.ts";
import { now } from "../host/clock.ts";
import { crashPoint } from "../files/crash-point.ts";
import type { Connection } from "./database.ts";
import { firstColumn, firstValue } from "./database.ts";
import { recordEvent } from "./events.ts";

/** A package archive of the pool. */
interface Ppa {
  readonly name: string;
  readonly state: "reserved" | "dirty" | "cleaning" | "free";
  readonly ticket: number | null;
  readonly since: string;
}

export function listPpas(db: Connection): Ppa[] {
  return db.prepare<[], Ppa>("SELECT * FROM ppa ORDER BY name").all();
}

export function ppaOfTicket(db: Connection, ticket: number): string | null {
  return firstValue<string>(
    db,
    "SELECT name FROM ppa WHERE ticket = ?",
    ticket,
  );
}

/** Adds a PPA to the pool as dirty: anything on disk under its name is removed before the PPA is used. */
export function addPpa(db: Connection, name: string, actor: string): boolean {
  return db
    .transaction(() => {
      const added = db
        .prepare(
          "INSERT INTO ppa (name, state, since) VALUES (?, 'dirty', ?) ON CONFLICT DO NOTHING",
        )
        .run(name, now());
      if (added.changes === 1)
        recordEvent(db, {
          actor,
          subject: "ppa",
          subject_id: name,
          what: "added",
          to_state: "dirty",
        });
      return added.changes === 1;
    })
    .immediate();
}

function move(
  db: Connection,
  ppa: Ppa,
  to: Ppa["state"],
  ticket: number | null,
  actor: string,
  why: string,
): void {
  db.prepare(
    "UPDATE ppa SET state = ?, ticket = ?, since = ? WHERE name = ?",
  ).run(to, ticket, now(), ppa.name);
  recordEvent(db, {
    actor,
    subject: "ppa",
    subject_id: ppa.name,
    what: to,
    from_state: ppa.state,
    to_state: to,
    why,
    ticket: ticket ?? ppa.ticket,
  });
}

/** The PPA that would be reserved for a ticket: the one it already has, else the first free one. */
export function ppaFor(db: Connection, ticket: number): string | null {
  return ppaOfTicket(db, ticket) ?? firstFree(db)?.name ?? null;
}

function firstFree(db: Connection): Ppa | undefined {
  return db
    .prepare<[], Ppa>(
      "SELECT * FROM ppa WHERE state = 'free' ORDER BY name LIMIT 1",
    )
    .get();
}

/** Reserves a PPA for a ticket: the one it already has, else the first free one; null when none is free. */
export function reservePpa(
  db: Connection,
  ticket: number,
  actor: string,
): string | null {
  const mine = ppaOfTicket(db, ticket);
  if (mine !== null) return mine;
  const free = firstFree(db);
  if (free === undefined) return null;
  move(db, free, "reserved", ticket, actor, `ticket ${ticket}`);
  crashPoint("ppa.reserved");
  return free.name;
}

/** Gives back the PPA of a ticket, which is to be cleaned; null when the ticket has none. */
export function releasePpa(
  db: Connection,
  ticket: number,
  actor: string,
  why: string,
): string | null {
  const mine = db
    .prepare<[number], Ppa>("SELECT * FROM ppa WHERE ticket = ?")
    .get(ticket);
  if (mine === undefined) return null;
  move(db, mine, "dirty", null, actor, why);
  return mine.name;
}

/** Names of the PPAs to clean: those given back, and those whose cleaning was interrupted. */
export function toBeCleaned(db: Connection): string[] {
  return listPpas(db)
    .filter(({ state }) => state === "dirty" || state === "cleaning")
    .map(({ name }) => name);
}

/** Marks the dirty PPAs as being cleaned. Returns these, and those whose cleaning was interrupted. */
export function startCleaning(db: Connection, actor: string): Ppa[] {
  return db
    .transaction(() => {
      for (const ppa of listPpas(db)) {
        if (ppa.state === "dirty")
          move(db, ppa, "cleaning", null, actor, "given back");
      }
      return listPpas(db).filter((ppa) => ppa.state === "cleaning");
    })
    .immediate();
}

/** Marks a cleaned PPA as free. */
export function finishCleaning(
  db: Connection,
  name: string,
  actor: string,
): void {
  db.transaction(() => {
    const ppa = db
      .prepare<[string], Ppa>(
        "SELECT * FROM ppa WHERE name = ? AND state = 'cleaning'",
      )
      .get(name);
    if (ppa !== undefined) move(db, ppa, "free", null, actor, "emptied");
  }).immediate();
}

/**
 * PPAs of tickets that have ended without giving theirs back; only that of a given ticket, if any.
 *
 * @throws UbuntuCiError (2) when the given ticket has not ended
 */
export function releasable(db: Connection, ticket?: number): string[] {
  const names = firstColumn<string>(
    db,
    `SELECT ppa.name FROM ppa JOIN ticket ON ticket.id = ppa.ticket
       WHERE ticket.step >= 999 AND (? IS NULL OR ticket.id = ?) ORDER BY ppa.name`,
    ticket ?? null,
    ticket ?? null,
  );
  if (
    ticket !== undefined &&
    names.length === 0 &&
    ppaOfTicket(db, ticket) !== null
  )
    throw refused(`ticket ${ticket} has not ended: it needs its PPA`);
  return names;
}

/**
 * Gives back the PPAs of ended tickets.
 *
 * @throws UbuntuCiError (2) when the given ticket has not ended
 */
export function releaseEnded(
  db: Connection,
  ticket: number | undefined,
  actor: string,
): string[] {
  return db
    .transaction(() => {
      const names = releasable(db, ticket);
      for (const name of names) {
        const ppa = listPpas(db).find((candidate) => candidate.name === name);
        if (ppa?.ticket != null)
          releasePpa(db, ppa.ticket, actor, "the ticket has ended");
      }
      return names;
    })
    .immediate();
}
