import type { WorkStepCode } from "../domain/step.ts";
import { queueStep } from "../domain/step.ts";
import { now } from "../host/clock.ts";
import { isGone } from "../files/process-identity.ts";
import type { Connection } from "./database.ts";
import { recordEvent } from "./events.ts";
import type { ExpiredFile } from "./retention.ts";
import { openRuns } from "./leases.ts";
import { isOpen } from "./queue.ts";

/** Runs of dead processes, tickets that run without a run, and all that are in flight. */
export function activity(db: Connection): {
  readonly dead: readonly {
    readonly id: number;
    readonly ticket: number;
    readonly pid: number;
    readonly host: string;
  }[];
  readonly stuck: readonly number[];
  readonly inFlight: readonly {
    readonly id: number;
    readonly step: WorkStepCode;
  }[];
} {
  return {
    dead: openRuns(db).filter((run) => isGone(run) === true),
    stuck: db
      .prepare<[], { id: number }>(
        `SELECT id FROM ticket WHERE ${isOpen} AND status = 'running'
           AND NOT EXISTS (SELECT 1 FROM run WHERE run.ticket = ticket.id AND finished_at IS NULL)`,
      )
      .all()
      .map(({ id }) => id),
    inFlight: db
      .prepare<[], { id: number; step: WorkStepCode }>(
        `SELECT id, step FROM ticket WHERE ${isOpen} AND step > ${queueStep}`,
      )
      .all(),
  };
}

/** Makes a ticket that runs without a run wait for its turn again. */
export function waitAgain(
  db: Connection,
  actor: string,
  ticket: number,
  why: string,
): void {
  inImmediateTransaction(db, () => {
    if (stillRunning(db, ticket)) return;
    const { changes } = db
      .prepare(
        "UPDATE ticket SET status = 'waiting', updated_at = ? WHERE id = ? AND status = 'running'",
      )
      .run(now(), ticket);
    if (changes > 0)
      recordEvent(db, {
        actor,
        subject: "ticket",
        subject_id: ticket,
        what: "mended",
        why,
      });
  });
}

/** Whether a ticket has an open run: files of its step may come and go. */
export function stillRunning(db: Connection, ticket: number): boolean {
  return (
    db
      .prepare<[number], { id: number }>(
        "SELECT id FROM run WHERE ticket = ? AND finished_at IS NULL",
      )
      .get(ticket) !== undefined
  );
}

/** Ids of the rows, expired or not, that speak of a file in the data store. */
export function artifactAt(
  db: Connection,
  container: string,
  name: string,
): ReadonlySet<number> {
  const ticket = Number(/^ticket\.([0-9]+)(?:\.|$)/.exec(container)?.[1] ?? 0);
  const found = db
    .prepare<[number, string, string], { id: number }>(
      "SELECT id FROM artifact WHERE ticket = ? AND name = ? AND container = ?",
    )
    .all(ticket, name, container);
  return new Set(found.map(({ id }) => id));
}

/** Rows whose file retention has removed, or has yet to. */
export function* expiredArtifacts(db: Connection): Generator<ExpiredFile> {
  const portion = db.prepare<[number], ExpiredFile>(
    `SELECT id, ticket, container, name FROM artifact
     WHERE id > ? AND expired_at IS NOT NULL ORDER BY id LIMIT 500`,
  );
  for (let last = 0; ;) {
    const some = portion.all(last);
    yield* some;
    const end = some.at(-1);
    if (end === undefined) return;
    last = end.id;
  }
}

/** Does something that no other process can write in the middle of. */
export function inImmediateTransaction<T>(db: Connection, work: () => T): T {
  return db.transaction(work).immediate();
}

/** The newest revision of the archive that a ticket is recorded with. */
export function newestRevision(db: Connection): number {
  return (
    db
      .prepare<[], { revision: number | null }>(
        "SELECT max(revision) AS revision FROM publication",
      )
      .get()?.revision ?? 0
  );
}

/** Whether the state has that version as the newest of a source package, up to a revision. */
export function isPublished(
  db: Connection,
  one: {
    readonly series: string;
    readonly name: string;
    readonly version: string;
    readonly revision: number;
  },
): boolean {
  const row = db
    .prepare<[string, string, number], { version: string }>(
      `SELECT version FROM publication WHERE series = ? AND source = ? AND revision <= ?
       ORDER BY revision DESC LIMIT 1`,
    )
    .get(one.series, one.name, one.revision);
  return row?.version === one.version;
}
