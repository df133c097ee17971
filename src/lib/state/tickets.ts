import { refused } from "../domain/error.ts";
import type { PendingJob } from "../domain/pending.ts";
import { pendingInWords } from "../domain/pending.ts";
import type { StepCode } from "../domain/step.ts";
import { stepOf, workStep } from "../domain/step.ts";
import type {
  Artifact,
  Blame,
  Outcome,
  Progress,
  Run,
  SetAside,
  Subticket,
  Ticket,
  TicketSummary,
  TicketStatus,
} from "../domain/ticket.ts";
import type { Connection } from "./database.ts";
import { firstValue, prepared } from "./database.ts";
import { workerOf } from "./leases.ts";
import { jobOf } from "./open-jobs.ts";
import { openCondition, queuePosition, queuePositions } from "./queue.ts";
import { overridesOf, testsOf } from "./judged-tests.ts";
import { statusOfTicket, stepOfTicket } from "./ticket-status.ts";
import type { Remedy } from "../domain/remedy.ts";
import { advice, remedy } from "../domain/remedy.ts";

interface TicketRow {
  id: number;
  title: string;
  description: string;
  owner: string;
  bug: string | null;
  series: string;
  priority: number;
  step: StepCode;
  /** The status that the rules of the queue use. */
  status: "waiting" | "running" | "held" | "failed" | "done";
  /** The status and step that are shown to people. */
  told_status: TicketStatus;
  told_step: StepCode;
  set_aside: SetAside | null;
  add_packages: string;
  remove_packages: string;
  base_image: string | null;
  archive_revision: number | null;
  undone_by: number | null;
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
  eta: string | null;
  created_at: string;
  updated_at: string;
  ppa: string | null;
}

const ticketColumns = `ticket.*, person.email AS owner, ${statusOfTicket} AS told_status, ${stepOfTicket} AS told_step,
  (SELECT name FROM ppa WHERE ppa.ticket = ticket.id) AS ppa
  FROM ticket JOIN person ON person.id = ticket.owner`;

/** Which tickets to list; all when empty. */
interface TicketFilter {
  readonly step?: StepCode;
  readonly owner?: string;
  readonly open?: boolean;
  /** Only so many of the newest. */
  readonly newest?: number;
}

/** Tickets that are read at a time. */
const pageSize = 500;

/**
 * A ticket with everything that belongs to it.
 *
 * @throws UbuntuCiError (2) when there is no ticket of that number
 */
export function getTicket(db: Connection, id: number): Ticket {
  const ticket = findTicket(db, id);
  if (ticket === undefined)
    throw refused(
      `there is no ticket ${id}`,
      advice`${remedy("status")} lists them`,
    );
  return ticket;
}

/** {@link getTicket}, or undefined when there is no ticket of that number. */
export function findTicket(db: Connection, id: number): Ticket | undefined {
  const row = prepared<[number], TicketRow>(
    db,
    `SELECT ${ticketColumns} WHERE ticket.id = ?`,
  ).get(id);
  return row === undefined ? undefined : whole(db, row, queuePosition(db, id));
}

/** The tickets that match, newest last. */
export function listTickets(db: Connection, filter: TicketFilter): Ticket[] {
  return [...ticketPages(db, filter)].flat();
}

/** {@link listTickets}, some at a time: there may be more than fit into memory. */
export function* ticketPages(
  db: Connection,
  filter: TicketFilter,
): Generator<Ticket[]> {
  const conditions: string[] = ["ticket.id >= ?"];
  const values: (string | number)[] = [];
  if (filter.step !== undefined) {
    conditions.push(`${stepOfTicket} = ?`);
    values.push(filter.step);
  }
  if (filter.owner !== undefined) {
    conditions.push("person.email = ?");
    values.push(filter.owner);
  }
  if (filter.open === true) conditions.push(openCondition);
  const where = `WHERE ${conditions.join(" AND ")} ORDER BY ${filter.open === true ? "+" : ""}ticket.id`;
  let from =
    filter.newest === undefined
      ? 0
      : (firstValue<number>(
          db,
          `SELECT ticket.id FROM ticket JOIN person ON person.id = ticket.owner ${where} DESC LIMIT 1 OFFSET ?`,
          ...[0, ...values, filter.newest - 1],
        ) ?? 0);
  const positions = queuePositions(db);
  for (;;) {
    const rows = prepared<unknown[], TicketRow>(
      db,
      `SELECT ${ticketColumns} ${where} LIMIT ${pageSize}`,
    ).all(from, ...values);
    if (rows.length > 0)
      yield rows.map((row) => whole(db, row, positions.get(row.id) ?? null));
    if (rows.length < pageSize) return;
    from = (rows.at(-1)?.id ?? 0) + 1;
  }
}

/** Tickets by their numbers, as lists show them; newest first. */
export function ticketSummaries(
  db: Connection,
  ids: readonly number[],
): TicketSummary[] {
  const positions = queuePositions(db);
  return prepared<[string], TicketRow>(
    db,
    `SELECT ${ticketColumns} WHERE ticket.id IN (SELECT value FROM json_each(?)) ORDER BY ticket.id DESC`,
  )
    .all(JSON.stringify(ids))
    .map((row) => summary(db, row, positions.get(row.id) ?? null));
}

function whole(
  db: Connection,
  row: TicketRow,
  position: number | null,
): Ticket {
  const overrides = overridesOf(db, row.id);
  return {
    ...summary(db, row, position),
    overrides,
    runs: runsOf(db, row.id),
    artifacts: artifactsOf(db, row.id),
    tests: testsOf(db, row.id, overrides),
  };
}

function summary(
  db: Connection,
  row: TicketRow,
  position: number | null,
): TicketSummary {
  const worker = row.status === "running" ? workerOf(db, row.id) : null;
  const pending = row.status === "waiting" ? pendingOf(db, row.id) : null;
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
    step: stepOf(row.told_step),
    status: row.told_status,
    ppa: row.ppa,
    queue_position: position,
    eta: row.eta,
    archive_revision: row.archive_revision,
    undone_by: row.undone_by,
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
    resume_step: row.resume_step === null ? null : stepOf(row.resume_step),
    add: JSON.parse(row.add_packages) as string[],
    remove: JSON.parse(row.remove_packages) as string[],
    base_image: row.base_image,
    // Progress reported by a process that has died is out of date.
    progress: worker?.gone === false ? progressOf(db, row.id) : null,
    waiting_for:
      worker?.gone === true
        ? `process ${worker.pid} on ${worker.host} is gone: the next pass goes on`
        : pending !== null
          ? `pending: ${pendingInWords(pending)}`
          : row.status === "waiting" || row.set_aside !== null
            ? row.waiting_for
            : null,
    set_aside: row.set_aside,
    pending,
    retry_at:
      row.status === "waiting" && pending === null ? row.retry_at : null,
    subtickets: subticketsOf(db, row),
  };
}

/** The command that provides what a waiting ticket's last attempt found missing, or null. */
export function remedyOf(db: Connection, ticket: number): Remedy | null {
  const row = prepared<[number], { remedy: string | null }>(
    db,
    "SELECT remedy FROM ticket WHERE id = ?",
  ).get(ticket);
  return JSON.parse(row?.remedy ?? "null") as Remedy | null;
}

function pendingOf(db: Connection, ticket: number): PendingJob | null {
  const job = jobOf(db, ticket);
  return job?.id == null || job.look_at === null
    ? null
    : {
        job: job.id,
        of: job.remote,
        since: job.began_at,
        look_again_at: job.look_at,
      };
}

function progressOf(db: Connection, ticket: number): Progress | null {
  return (
    prepared<[number], Progress>(
      db,
      `SELECT progress.state, progress.message, progress.current, progress.total, progress.at
         FROM run JOIN progress ON progress.run = run.id WHERE run.ticket = ? AND run.finished_at IS NULL`,
    ).get(ticket) ?? null
  );
}

/** Whether a run works on all source packages together: only builds take one after the other. */
function isAtWorkOnAll({ status, step }: TicketRow): boolean {
  return status === "running" && workStep(step)?.makes !== "packages";
}

function subticketsOf(db: Connection, ticket: TicketRow): Subticket[] {
  return prepared<
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
    db,
    `SELECT subticket.id, source_package.name AS source, upload.version, subticket.step, subticket.status, subticket.binaries
       FROM subticket JOIN source_package_upload upload ON upload.id = subticket.upload
       JOIN source_package ON source_package.id = upload.source_package
       WHERE subticket.ticket = ? ORDER BY subticket.id`,
  )
    .all(ticket.id)
    .map((row) => ({
      ...row,
      // Subtickets at the ticket's own step and status are shown like the ticket.
      step: stepOf(row.step === ticket.step ? ticket.told_step : row.step),
      status:
        row.status === ticket.status || isAtWorkOnAll(ticket)
          ? ticket.told_status
          : row.status,
      binaries: JSON.parse(row.binaries) as string[],
    }));
}

function runsOf(db: Connection, ticket: number): Run[] {
  return prepared<
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
    db,
    "SELECT step, attempt, outcome, started_at, finished_at, reason, evidence, stages FROM run WHERE ticket = ? ORDER BY id",
  )
    .all(ticket)
    .map((row) => ({
      ...row,
      step: stepOf(row.step),
      stages: JSON.parse(row.stages) as Record<string, number>,
    }));
}

function artifactsOf(db: Connection, ticket: number): Artifact[] {
  return prepared<[number], Artifact>(
    db,
    "SELECT container, name, type, size, sha256, expired_at, subticket FROM artifact WHERE ticket = ? ORDER BY id",
  ).all(ticket);
}
