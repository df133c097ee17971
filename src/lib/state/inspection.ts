import type { WorkStepCode } from "../domain/step.ts";
import { queueStep } from "../domain/step.ts";
import { now } from "../host/clock.ts";
import { isGone } from "../files/process-identity.ts";
import type { Connection } from "./database.ts";
import { firstColumn, firstValue } from "./database.ts";
import { recordTicketEvent } from "./events.ts";
import { openRuns } from "./leases.ts";
import { openCondition } from "./queue.ts";

/** Runs of dead processes, tickets marked running without a run, and tickets in flight. */
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
    stuck: runningWithoutRun(db),
    inFlight: db
      .prepare<[], { id: number; step: WorkStepCode }>(
        `SELECT id, step FROM ticket WHERE ${openCondition} AND step > ${queueStep}`,
      )
      .all(),
  };
}

/** Tickets that are marked as running, and that nothing works on. */
export function runningWithoutRun(db: Connection): number[] {
  return firstColumn<number>(
    db,
    `SELECT id FROM ticket WHERE ${openCondition} AND status = 'running'
       AND NOT EXISTS (SELECT 1 FROM run WHERE run.ticket = ticket.id AND finished_at IS NULL)`,
  );
}

/** Returns a ticket that is marked running but has no open run to waiting. */
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
    if (changes > 0) recordTicketEvent(db, actor, ticket, "mended", { why });
  });
}

/** Whether a ticket has an open run, which may be adding and removing files. */
export function stillRunning(db: Connection, ticket: number): boolean {
  return (
    db
      .prepare<[number], { id: number }>(
        "SELECT id FROM run WHERE ticket = ? AND finished_at IS NULL",
      )
      .get(ticket) !== undefined
  );
}

/** Ids of the rows, expired or not, for a file in the data store. */
export function artifactAt(
  db: Connection,
  container: string,
  name: string,
): ReadonlySet<number> {
  const ticket = Number(/^ticket\.([0-9]+)(?:\.|$)/.exec(container)?.[1] ?? 0);
  return new Set(
    firstColumn<number>(
      db,
      "SELECT id FROM artifact WHERE ticket = ? AND name = ? AND container = ?",
      ticket,
      name,
      container,
    ),
  );
}

/** Runs a function in an immediate transaction, so that no other process can write meanwhile. */
export function inImmediateTransaction<T>(db: Connection, work: () => T): T {
  return db.transaction(work).immediate();
}

/** Whether the state records that version as a source package's newest, up to a revision. */
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

/** Whether the state knows what landed, or was taken out, in a revision of that series. */
export function isLanding(
  db: Connection,
  series: string,
  revision: number,
): boolean {
  return (
    firstValue<number>(
      db,
      "SELECT 1 FROM landing WHERE series = ? AND revision = ?",
      series,
      revision,
    ) !== null
  );
}
