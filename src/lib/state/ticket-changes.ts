import { now } from "../host/clock.ts";
import { crashPoint } from "../files/crash-point.ts";
import type { NewArtifact } from "./artifacts.ts";
import { recordArtifacts } from "./artifacts.ts";
import type { Connection } from "./database.ts";
import { firstValue } from "./database.ts";
import { recordEvent, recordTicketEvent } from "./events.ts";

/** A ticket to be created. */
interface NewTicket {
  readonly title: string;
  readonly description: string;
  readonly owner: string;
  readonly bug: string | null;
  readonly series: string;
  readonly priority: number;
  /** ISO 8601 UTC, or null. */
  readonly eta: string | null;
  /** Whether it is not to be queued yet. */
  readonly draft: boolean;
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
    /** Its files, which are already in the data store. */
    readonly files: readonly Omit<NewArtifact, "type" | "subticket">[];
  }[];
}

/** The number of the next ticket. */
export function nextTicketId(db: Connection): number {
  const last = "SELECT seq FROM sqlite_sequence WHERE name = 'ticket'";
  return (firstValue<number>(db, last) ?? 0) + 1;
}

/** Writes a ticket, its subtickets, uploads, artifacts and first event in one transaction. */
export function insertTicket(
  db: Connection,
  id: number,
  ticket: NewTicket,
  actor: string,
  check: () => void,
): void {
  db.transaction(() => {
    check();
    const at = now();
    db.prepare(
      "INSERT INTO person (name, email) VALUES (?, ?) ON CONFLICT DO NOTHING",
    ).run(ticket.owner, ticket.owner);
    db.prepare(
      `INSERT INTO ticket (id, title, description, owner, bug, series, priority, step, status, add_packages, remove_packages,
               base_image, draft, eta, created_at, updated_at)
             VALUES (?, ?, ?, (SELECT id FROM person WHERE email = ?), ?, ?, ?, 100, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      id,
      ticket.title,
      ticket.description,
      ticket.owner,
      ticket.bug,
      ticket.series,
      ticket.priority,
      ticket.draft ? "held" : "waiting",
      JSON.stringify(ticket.add),
      JSON.stringify(ticket.remove),
      ticket.base_image,
      ticket.draft ? 1 : 0,
      ticket.eta,
      at,
      at,
    );
    for (const upload of ticket.uploads) {
      const subticket = insertSubticket(db, id, upload, ticket.draft);
      recordArtifacts(
        db,
        id,
        upload.files.map((file) => ({ ...file, type: "SPU", subticket })),
      );
    }
    crashPoint("ticket.rows-written");
    recordTicketEvent(db, actor, id, "created", {
      to_state: ticket.draft ? "draft" : "100",
      why: ticket.uploads
        .map(({ source, version }) => `${source} ${version}`)
        .join(", "),
    });
  }).immediate();
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
  readonly eta?: string | null;
  readonly status?: "waiting" | "held";
}

/** What a change does, a phrase for each field: for plans and for the history. */
export function changeInWords(change: TicketChange): string[] {
  const { title, description, bug, owner, add, remove, priority, eta } = change;
  const packages = (names: readonly string[]) =>
    names.length === 0 ? "nothing" : names.join(", ");
  return [
    ...(title === undefined ? [] : [`set title to ${title}`]),
    ...(description === undefined ? [] : [`set description to ${description}`]),
    ...(bug === undefined ? [] : [`set bug to ${bug ?? "none"}`]),
    ...(owner === undefined ? [] : [`set owner to ${owner}`]),
    ...(add === undefined ? [] : [`add ${packages(add)} to the image`]),
    ...(remove === undefined
      ? []
      : [`remove ${packages(remove)} from the image`]),
    ...(priority === undefined ? [] : [`set priority to ${priority}`]),
    ...(eta === undefined ? [] : [`set eta to ${eta ?? "nothing"}`]),
    ...(change.status === undefined
      ? []
      : [change.status === "held" ? "hold it" : "queue it"]),
  ];
}

/** Changes a ticket's own fields and records the event; the caller has checked that they may be changed. */
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
  if (change.eta !== undefined) sets["eta"] = change.eta;
  if (change.add !== undefined)
    sets["add_packages"] = JSON.stringify(change.add);
  if (change.remove !== undefined)
    sets["remove_packages"] = JSON.stringify(change.remove);
  const { status, ...others } = change;
  if (status !== undefined) {
    sets["status"] = status;
    sets["draft"] = 0;
  }
  if (change.owner !== undefined) {
    db.prepare(
      "INSERT INTO person (name, email) VALUES (?, ?) ON CONFLICT DO NOTHING",
    ).run(change.owner, change.owner);
    sets["owner"] =
      firstValue<number>(
        db,
        "SELECT id FROM person WHERE email = ?",
        change.owner,
      ) ?? null;
  }
  const columns = Object.keys(sets);
  if (columns.length === 0) return;
  db.prepare(
    `UPDATE ticket SET ${columns.map((column) => `${column} = @${column}`).join(", ")}, updated_at = @at WHERE id = @id`,
  ).run({ ...sets, at: now(), id });
  crashPoint("ticket.updated");
  if (status !== undefined) {
    db.prepare(
      "UPDATE subticket SET status = ? WHERE ticket = ? AND status IN ('waiting', 'held')",
    ).run(status, id);
  }
  recordEvent(db, {
    actor,
    subject: "ticket",
    subject_id: id,
    what:
      status === "held" ? "held" : status === "waiting" ? "queued" : "updated",
    why: changeInWords(others).join("; ") || null,
  });
}
