import Database from "better-sqlite3";

import { messageOf, saysDamage } from "../domain/error.ts";
import type { StepCode, WorkStepCode } from "../domain/step.ts";
import { imageStep, queueStep, workAt } from "../domain/step.ts";
import { isThere } from "../files/optional-file.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { firstValue, troubleOfStateFile } from "./database.ts";
import { recordEvent, recordTicketEvent } from "./events.ts";
import { dropJob } from "./jobs.ts";
import { inFlightCondition, openCondition } from "./queue.ts";

/** A file in the data store, by its row in the state. */
interface StoredArtifact {
  readonly id: number;
  readonly ticket: number;
  readonly container: string;
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/**
 * Makes a consistent copy of the state in a new file, while other processes keep writing, and opens the
 * copy. It is a single file once it is closed, without a WAL.
 */
export async function takeSnapshot(
  db: Connection,
  to: string,
): Promise<Connection> {
  // All pages in one step: between steps, any write of another process would restart the backup.
  await db.backup(to, { progress: () => 0x7fffffff });
  const copy = new Database(to);
  copy.pragma("journal_mode = DELETE");
  return copy;
}

/**
 * Every file that must be in the data store. Rows are read in small batches, because a caller takes long
 * for a large store and no transaction may stay open all that time.
 */
export const storedArtifacts = (db: Connection): Generator<StoredArtifact> =>
  artifactsWhere(db, "expired_at IS NULL");

/** Rows whose files have expired, removed or not. */
export const expiredArtifacts = (db: Connection): Generator<StoredArtifact> =>
  artifactsWhere(db, "expired_at IS NOT NULL");

function* artifactsWhere(
  db: Connection,
  condition: string,
): Generator<StoredArtifact> {
  const portion = db.prepare<[number], StoredArtifact>(
    `SELECT id, ticket, container, name, size, sha256 FROM artifact
     WHERE id > ? AND ${condition} ORDER BY id LIMIT 500`,
  );
  for (let last: number | undefined = 0; last !== undefined;) {
    const some = portion.all(last);
    yield* some;
    last = some.at(-1)?.id;
  }
}

/** The SHA-256 digest that the state records for an artifact, expired or not. */
export function digestOnRecord(db: Connection, id: number): string | null {
  return firstValue<string>(db, "SELECT sha256 FROM artifact WHERE id = ?", id);
}

/** The step of a ticket, or undefined when there is no such ticket. */
export function stepOfTicket(
  db: Connection,
  ticket: number,
): StepCode | undefined {
  const query = "SELECT step FROM ticket WHERE id = ?";
  return firstValue<StepCode>(db, query, ticket) ?? undefined;
}

/** Records that a backup was made. */
export function recordBackup(
  db: Connection,
  actor: string,
  file: string,
  size: number,
): void {
  recordEvent(db, {
    actor,
    subject: "state",
    subject_id: "backup",
    what: "backed-up",
    why: `${file}, ${size} bytes`,
  });
}

/** Opens an existing state file of any version for the duration of `work`. */
export function withFile<T>(file: string, work: (db: Connection) => T): T {
  const db = new Database(file, { timeout: 30_000, fileMustExist: true });
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/** Problems that SQLite's integrity check finds in the file; empty when there are none. */
export function integrityProblems(db: Connection): string[] {
  const found = db.pragma("integrity_check(20)") as {
    integrity_check: string;
  }[];
  return found
    .map(({ integrity_check: text }) => text)
    .filter((text) => text !== "ok");
}

/** Rows that refer to a missing row, as "TABLE ROW to TABLE". */
export function danglingRows(db: Connection): string[] {
  const found = db.pragma("foreign_key_check") as {
    table: string;
    rowid: number | null;
    parent: string;
  }[];
  return found.map(
    ({ table, rowid, parent }) =>
      `${table} ${String(rowid)} refers to a row of ${parent} that is not there`,
  );
}

/**
 * The same of a file that may be no database at all.
 *
 * @throws UbuntuCiError (75, 78) when it cannot be read, which does not make it damaged
 */
export function inspectFile(file: string): string[] {
  try {
    return withFile(file, integrityProblems);
  } catch (thrown) {
    if (saysDamage(thrown)) return [messageOf(thrown)];
    throw troubleOfStateFile(file, thrown);
  }
}

/** A state file up to this size is checked whole, which takes some hundredths of a second. */
const quicklyChecked = 16 * 1024 * 1024;

/** Of a larger one, the newest rows that the work goes by are read: this looks every few minutes. `fsck` reads all. */
const readAlways = [
  "ticket",
  "subticket",
  "run",
  "artifact",
  "publication",
  "ppa",
  "event",
];
const newestRead = 100;

/** The first thing that a short look finds wrong with a state file, or null. */
export function quickProblem(db: Connection): string | null {
  const size = db.pragma("page_size", { simple: true }) as number;
  const pages = db.pragma("page_count", { simple: true }) as number;
  try {
    if (size * pages <= quicklyChecked) {
      const said = db.pragma("quick_check(1)", { simple: true }) as string;
      return said === "ok" ? null : said;
    }
    for (const table of readAlways)
      db.prepare(
        `SELECT * FROM ${table} ORDER BY rowid DESC LIMIT ${newestRead}`,
      ).all();
    return null;
  } catch (thrown) {
    if (saysDamage(thrown)) return messageOf(thrown);
    throw thrown;
  }
}

/** Highest numbers that were given out, by table; null when there is no file, or a damaged one. */
export function lastIdsByTable(file: string): Record<string, number> | null {
  if (!isThere(file)) return null;
  try {
    return withFile(file, (db) =>
      Object.fromEntries(
        db
          .prepare<[], [string, number]>(
            "SELECT name, seq FROM sqlite_sequence",
          )
          .raw()
          .all(),
      ),
    );
  } catch (thrown) {
    if (saysDamage(thrown)) return null;
    throw troubleOfStateFile(file, thrown);
  }
}

/**
 * Makes a restored state ready for work. Open runs end. Tickets in flight get a new PPA, since backups do
 * not contain PPAs, and continue at their step. Ids that the replaced state had used are not used again.
 */
export function resumeRestoredState(
  db: Connection,
  actor: string,
  why: string,
  given: Readonly<Record<string, number>>,
): void {
  db.transaction(() => {
    const at = now();
    db.prepare(
      "UPDATE run SET finished_at = ?, outcome = 'tmpfail', reason = ? WHERE finished_at IS NULL",
    ).run(at, why);
    db.prepare("DELETE FROM progress").run();
    db.prepare(
      "UPDATE ppa SET state = 'dirty', ticket = NULL, since = ? WHERE state <> 'free'",
    ).run(at);
    const inFlight = db
      .prepare<[], { id: number }>(
        `SELECT id FROM ticket WHERE ${openCondition} AND ${inFlightCondition}`,
      )
      .all();
    for (const { id } of inFlight) startOver(db, actor, id, why);
    for (const [name, seq] of Object.entries(given)) {
      const { changes } = db
        .prepare("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?")
        .run(seq, name);
      if (changes === 0)
        db.prepare(
          "INSERT INTO sqlite_sequence (name, seq) SELECT name, ? FROM sqlite_master WHERE type = 'table' AND name = ?",
        ).run(seq, name);
    }
    recordEvent(db, {
      actor,
      subject: "state",
      subject_id: "backup",
      what: "restored",
      why,
    });
  }).immediate();
}

/**
 * Sends a ticket in flight back to the step at which it gets a PPA. It then continues at its step or, if
 * that needs an image, at the image step, because the image's layers may be lost.
 */
export function startOver(
  db: Connection,
  actor: string,
  ticket: number,
  why: string,
): void {
  const row = db
    .prepare<
      [number],
      { step: WorkStepCode; status: string; resume_step: WorkStepCode | null }
    >(
      `SELECT step, status, resume_step FROM ticket WHERE id = ? AND ${openCondition}`,
    )
    .get(ticket);
  if (row === undefined) return;
  const at = now();
  const wanted = row.step === queueStep ? row.resume_step : row.step;
  const needsImage = wanted !== null && workAt(wanted).needsImage === true;
  const resume = needsImage ? imageStep : wanted;
  dropJob(db, ticket);
  db.prepare(
    `UPDATE ticket SET step = ${queueStep}, resume_step = ?, status = CASE status WHEN 'held' THEN 'held' ELSE 'waiting' END,
       waiting_for = iif(set_aside IS NULL, NULL, waiting_for), remedy = iif(set_aside IS NULL, NULL, remedy),
       retry_at = NULL, updated_at = ? WHERE id = ?`,
  ).run(resume, at, ticket);
  db.prepare(
    `UPDATE subticket SET step = ${queueStep}, status = CASE status WHEN 'held' THEN 'held' ELSE 'waiting' END WHERE ticket = ?`,
  ).run(ticket);
  recordTicketEvent(db, actor, ticket, "started-over", {
    from_state: String(row.step),
    to_state: String(queueStep),
    why,
  });
}
