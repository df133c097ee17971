import { join } from "node:path";

import type { StepCode } from "../domain/step.ts";
import { stepOf } from "../domain/step.ts";
import type {
  Artifact,
  ArtifactType,
  Blame,
  Outcome,
  Progress,
  Run,
  Subticket,
  TestResult,
  Ticket,
  TicketStatus,
} from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import { crashPoint } from "../host/crash-point.ts";
import type { Connection } from "./database.ts";
import { recordEvent } from "./events.ts";
import { overridesOf } from "./overrides.ts";
import { queuePosition, queuePositions } from "./queue.ts";

interface TicketRow {
  id: number;
  title: string;
  description: string;
  owner: string;
  bug: string | null;
  series: string;
  priority: number;
  step: StepCode;
  status: TicketStatus;
  add_packages: string;
  remove_packages: string;
  base_image: string | null;
  archive_revision: number | null;
  failure_step: StepCode | null;
  failure_kind: Blame | null;
  failure_reason: string | null;
  failure_artifact: string | null;
  waiting_for: string | null;
  retry_at: string | null;
  cancel_at: string | null;
  cancel_by: string | null;
  cancel_reason: string | null;
  resume_step: StepCode | null;
  created_at: string;
  updated_at: string;
  ppa: string | null;
}

const ticketColumns = `ticket.*, person.email AS owner,
  (SELECT name FROM ppa WHERE ppa.ticket = ticket.id) AS ppa
  FROM ticket JOIN person ON person.id = ticket.owner`;

/** Which tickets to list; everything when empty. */
export interface TicketFilter {
  readonly step?: StepCode;
  readonly owner?: string;
  readonly open?: boolean;
}

/** One ticket whole, or undefined. Artifact paths are inside the given store folder. */
export function findTicket(
  db: Connection,
  id: number,
  store: string,
): Ticket | undefined {
  const row = db
    .prepare<[number], TicketRow>(`SELECT ${ticketColumns} WHERE ticket.id = ?`)
    .get(id);
  return row === undefined
    ? undefined
    : whole(db, row, store, queuePosition(db, id));
}

/** The tickets that match, newest last. */
export function listTickets(
  db: Connection,
  filter: TicketFilter,
  store: string,
): Ticket[] {
  const conditions: string[] = [];
  const values: (string | number)[] = [];
  if (filter.step !== undefined) {
    conditions.push("ticket.step = ?");
    values.push(filter.step);
  }
  if (filter.owner !== undefined) {
    conditions.push("person.email = ?");
    values.push(filter.owner);
  }
  if (filter.open === true) conditions.push("ticket.step < 999");
  const where =
    conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const rows = db
    .prepare<unknown[], TicketRow>(
      `SELECT ${ticketColumns} ${where} ORDER BY ticket.id`,
    )
    .all(...values);
  const positions = queuePositions(db);
  return rows.map((row) =>
    whole(db, row, store, positions.get(row.id) ?? null),
  );
}

function whole(
  db: Connection,
  row: TicketRow,
  store: string,
  position: number | null,
): Ticket {
  return {
    id: row.id,
    title: row.title,
    description: row.description,
    owner: row.owner,
    bug: row.bug,
    series: row.series,
    priority: row.priority,
    created_at: row.created_at,
    updated_at: row.updated_at,
    step: stepOf(row.step),
    status: row.status,
    ppa: row.ppa,
    queue_position: position,
    archive_revision: row.archive_revision,
    failure:
      row.failure_step === null || row.failure_kind === null
        ? null
        : {
            step: stepOf(row.failure_step),
            kind: row.failure_kind,
            reason: row.failure_reason ?? "",
            artifact: row.failure_artifact,
          },
    cancelled:
      row.cancel_at === null
        ? null
        : {
            at: row.cancel_at,
            by: row.cancel_by ?? "",
            reason: row.cancel_reason,
          },
    overrides: overridesOf(db, row.id),
    resume_step: row.resume_step === null ? null : stepOf(row.resume_step),
    add: JSON.parse(row.add_packages) as string[],
    remove: JSON.parse(row.remove_packages) as string[],
    base_image: row.base_image,
    progress: progressOf(db, row.id),
    waiting_for: row.status === "waiting" ? row.waiting_for : null,
    retry_at: row.status === "waiting" ? row.retry_at : null,
    subtickets: subticketsOf(db, row.id),
    runs: runsOf(db, row.id),
    artifacts: artifactsOf(db, row.id, store),
    tests: testsOf(db, row.id),
  };
}

function progressOf(db: Connection, ticket: number): Progress | null {
  return (
    db
      .prepare<[number], Progress>(
        `SELECT progress.state, progress.message, progress.current, progress.total, progress.at
         FROM run JOIN progress ON progress.run = run.id WHERE run.ticket = ? AND run.finished_at IS NULL`,
      )
      .get(ticket) ?? null
  );
}

function subticketsOf(db: Connection, ticket: number): Subticket[] {
  return db
    .prepare<
      [number],
      {
        id: number;
        source: string;
        version: string;
        step: StepCode;
        status: TicketStatus;
        binaries: string;
      }
    >(
      `SELECT subticket.id, source_package.name AS source, upload.version, subticket.step, subticket.status, subticket.binaries
       FROM subticket JOIN source_package_upload upload ON upload.id = subticket.upload
       JOIN source_package ON source_package.id = upload.source_package
       WHERE subticket.ticket = ? ORDER BY subticket.id`,
    )
    .all(ticket)
    .map((row) => ({
      ...row,
      step: stepOf(row.step),
      binaries: JSON.parse(row.binaries) as string[],
    }));
}

function runsOf(db: Connection, ticket: number): Run[] {
  return db
    .prepare<
      [number],
      {
        step: StepCode;
        attempt: number;
        outcome: Outcome | null;
        started_at: string;
        finished_at: string | null;
        reason: string | null;
        evidence: string | null;
        stages: string;
      }
    >(
      "SELECT step, attempt, outcome, started_at, finished_at, reason, evidence, stages FROM run WHERE ticket = ? ORDER BY id",
    )
    .all(ticket)
    .map((row) => ({
      ...row,
      step: stepOf(row.step),
      stages: JSON.parse(row.stages) as Record<string, number>,
    }));
}

function artifactsOf(
  db: Connection,
  ticket: number,
  store: string,
): Artifact[] {
  return db
    .prepare<
      [number],
      {
        name: string;
        type: ArtifactType;
        container: string;
        size: number;
        sha256: string;
        expired_at: string | null;
        subticket: number | null;
      }
    >(
      "SELECT name, type, container, size, sha256, expired_at, subticket FROM artifact WHERE ticket = ? ORDER BY id",
    )
    .all(ticket)
    .map(({ container, ...row }) => ({
      ...row,
      path: join(store, container, row.name),
    }));
}

function testsOf(db: Connection, ticket: number): TestResult[] {
  return db
    .prepare<[number, number], TestResult>(
      `SELECT package, name, result, seconds, detail FROM test_result
       WHERE ticket = ? AND run = (SELECT max(run) FROM test_result WHERE ticket = ?) ORDER BY id`,
    )
    .all(ticket, ticket);
}

/** A file that is in the data store already, as a row will name it. */
export interface NewArtifact {
  readonly name: string;
  readonly type: ArtifactType;
  readonly container: string;
  readonly size: number;
  readonly sha256: string;
  readonly subticket: number | null;
}

/** Writes artifact rows; a file of the same name replaces its row. */
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

/** Where the files of a ticket are that its rows name. */
export function artifactPlaces(
  db: Connection,
  ticket: number,
): { container: string; name: string }[] {
  return db
    .prepare<[number], { container: string; name: string }>(
      "SELECT container, name FROM artifact WHERE ticket = ?",
    )
    .all(ticket);
}

export interface NewTicket {
  readonly title: string;
  readonly description: string;
  readonly owner: string;
  readonly bug: string | null;
  readonly series: string;
  readonly priority: number;
  readonly held: boolean;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly base_image: string | null;
  readonly uploads: readonly {
    readonly source: string;
    readonly version: string;
    readonly changedBy: string;
    readonly signer: string | null;
    readonly dsc: string;
    readonly binaries: readonly string[];
  }[];
}

/**
 * Writes a ticket, its subtickets, uploads and first event in one transaction. `place` is called
 * inside it with the ids and puts the files into the data store, so that either everything is there
 * or nothing is.
 */
export function insertTicket(
  db: Connection,
  ticket: NewTicket,
  actor: string,
  check: () => void,
  place: (
    ticket: number,
    subtickets: readonly number[],
  ) => readonly NewArtifact[],
): number {
  return db
    .transaction(() => {
      check();
      const at = now();
      db.prepare(
        "INSERT INTO person (name, email) VALUES (?, ?) ON CONFLICT DO NOTHING",
      ).run(ticket.owner, ticket.owner);
      const id = Number(
        db
          .prepare(
            `INSERT INTO ticket (title, description, owner, bug, series, priority, step, status, add_packages, remove_packages,
               base_image, created_at, updated_at)
             VALUES (?, ?, (SELECT id FROM person WHERE email = ?), ?, ?, ?, 100, ?, ?, ?, ?, ?, ?)`,
          )
          .run(
            ticket.title,
            ticket.description,
            ticket.owner,
            ticket.bug,
            ticket.series,
            ticket.priority,
            ticket.held ? "held" : "waiting",
            JSON.stringify(ticket.add),
            JSON.stringify(ticket.remove),
            ticket.base_image,
            at,
            at,
          ).lastInsertRowid,
      );
      const subtickets = ticket.uploads.map((upload) =>
        insertSubticket(db, id, upload, ticket.held),
      );
      crashPoint("ticket.rows-written");
      recordArtifacts(db, id, place(id, subtickets));
      crashPoint("ticket.placed");
      recordEvent(db, {
        actor,
        subject: "ticket",
        subject_id: id,
        what: "created",
        to_state: ticket.held ? "held" : "100",
        why: ticket.uploads
          .map(({ source, version }) => `${source} ${version}`)
          .join(", "),
      });
      return id;
    })
    .immediate();
}

function insertSubticket(
  db: Connection,
  ticket: number,
  upload: NewTicket["uploads"][number],
  held: boolean,
): number {
  db.prepare(
    "INSERT INTO source_package (name) VALUES (?) ON CONFLICT DO NOTHING",
  ).run(upload.source);
  const uploadId = db
    .prepare(
      `INSERT INTO source_package_upload (source_package, version, changed_by, signer, dsc)
       VALUES ((SELECT id FROM source_package WHERE name = ?), ?, ?, ?, ?)`,
    )
    .run(
      upload.source,
      upload.version,
      upload.changedBy,
      upload.signer,
      upload.dsc,
    ).lastInsertRowid;
  const id = db
    .prepare(
      "INSERT INTO subticket (ticket, upload, step, status, binaries) VALUES (?, ?, 100, ?, ?)",
    )
    .run(
      ticket,
      uploadId,
      held ? "held" : "waiting",
      JSON.stringify(upload.binaries),
    ).lastInsertRowid;
  const known = db.prepare(
    `INSERT INTO binary_package (name, source_package)
     VALUES (?, (SELECT id FROM source_package WHERE name = ?)) ON CONFLICT DO NOTHING`,
  );
  for (const binary of upload.binaries) known.run(binary, upload.source);
  return Number(id);
}

export interface TicketChange {
  readonly title?: string;
  readonly description?: string;
  readonly bug?: string | null;
  readonly owner?: string;
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly priority?: number;
  readonly status?: "waiting" | "held";
}

/** Changes a ticket's own fields and tells the history; whether it may be changed is the caller's to know. */
export function updateTicket(
  db: Connection,
  id: number,
  change: TicketChange,
  actor: string,
): void {
  const sets: Record<string, string | number | null> = {};
  if (change.title !== undefined) sets["title"] = change.title;
  if (change.description !== undefined)
    sets["description"] = change.description;
  if (change.bug !== undefined) sets["bug"] = change.bug;
  if (change.priority !== undefined) sets["priority"] = change.priority;
  if (change.add !== undefined)
    sets["add_packages"] = JSON.stringify(change.add);
  if (change.remove !== undefined)
    sets["remove_packages"] = JSON.stringify(change.remove);
  if (change.status !== undefined) sets["status"] = change.status;
  if (change.owner !== undefined) {
    db.prepare(
      "INSERT INTO person (name, email) VALUES (?, ?) ON CONFLICT DO NOTHING",
    ).run(change.owner, change.owner);
    sets["owner"] =
      db
        .prepare<[string], { id: number }>(
          "SELECT id FROM person WHERE email = ?",
        )
        .get(change.owner)?.id ?? null;
  }
  const columns = Object.keys(sets);
  if (columns.length === 0) return;
  db.prepare(
    `UPDATE ticket SET ${columns.map((column) => `${column} = @${column}`).join(", ")}, updated_at = @at WHERE id = @id`,
  ).run({ ...sets, at: now(), id });
  crashPoint("ticket.updated");
  if (change.status !== undefined) {
    db.prepare(
      "UPDATE subticket SET status = ? WHERE ticket = ? AND status IN ('waiting', 'held')",
    ).run(change.status, id);
  }
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: id,
    what:
      change.status === "held"
        ? "held"
        : change.status === "waiting"
          ? "queued"
          : "updated",
    why: columns.filter((column) => column !== "status").join(", ") || null,
  });
}
