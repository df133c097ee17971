import type { Finding } from "../domain/policy.ts";
import type { Remedy } from "../domain/remedy.ts";
import type { TestResult } from "../domain/ticket.ts";
import type { Ended } from "../domain/transition.ts";
import type { NewArtifact } from "./artifacts.ts";
import { recordArtifacts } from "./artifacts.ts";
import type { Connection } from "./database.ts";
import { recordImage } from "./images.ts";
import type { Lease } from "./leases.ts";
import { renewLease } from "./leases.ts";
import { recordLanding } from "./landings.ts";
import { recordPublication } from "./publications.ts";

/** The end of a run and its results, which are recorded in one transaction. */
export interface RunEnd extends Ended {
  /** The command that provides what the run found missing, for a person to run. */
  readonly remedy?: Remedy | null;
  /** Name of the artifact that shows a failure. */
  readonly evidence?: string | null;
  readonly artifacts?: readonly NewArtifact[];
  readonly tests?: readonly TestResult[];
  /** What was found of each requirement, before any override. */
  readonly findings?: readonly Finding[];
  readonly image?: {
    readonly layers: readonly string[];
    readonly digest: string;
    readonly manifest: string;
  };
  readonly base?: string | null;
  readonly published?: {
    readonly revision: number;
    readonly created_at: string;
  };
  readonly stages?: Readonly<Record<string, number>>;
  /** `ended`: this is the result of its job; `dropped`: the job is not waited for any longer, and will be cancelled. */
  readonly job?: "ended" | "dropped";
}

/** Records what a run made: files, test results, image, and the base it used. */
export function keepProducts(db: Connection, lease: Lease, end: RunEnd): void {
  const { ticket, run } = lease;
  db.prepare("DELETE FROM progress WHERE run = ?").run(run);
  recordArtifacts(db, ticket, end.artifacts ?? []);
  recordTests(db, lease, end.tests ?? []);
  recordFindings(db, lease, end.findings ?? []);
  if (end.base != null)
    db.prepare("UPDATE ticket SET base_digest = ? WHERE id = ?").run(
      end.base,
      ticket,
    );
  if (end.image !== undefined) recordImage(db, ticket, end.image);
}

function recordTests(
  db: Connection,
  lease: Lease,
  tests: readonly TestResult[],
): void {
  const insert = db.prepare(
    "INSERT INTO test_result (ticket, run, package, name, result, seconds, detail, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  );
  for (const test of tests)
    insert.run(
      lease.ticket,
      lease.run,
      test.package,
      test.name,
      test.result,
      test.seconds,
      test.detail,
      test.state ?? null,
    );
}

function recordFindings(
  db: Connection,
  { run }: Lease,
  findings: readonly Finding[],
): void {
  const insert = db.prepare(
    "INSERT OR REPLACE INTO finding (run, requirement, source, architecture, result, reason) VALUES (?, ?, ?, ?, ?, ?)",
  );
  for (const { requirement, source, architecture, result, reason } of findings)
    insert.run(run, requirement, source, architecture, result, reason);
}

/** Records the archive revision in which a ticket was published. */
export function recordRevision(
  db: Connection,
  ticket: number,
  { revision, created_at }: NonNullable<RunEnd["published"]>,
): void {
  db.prepare(
    "UPDATE ticket SET archive_revision = ?, undone_by = NULL WHERE id = ?",
  ).run(revision, ticket);
  const uploads = db
    .prepare<[number], { series: string; source: string; version: string }>(
      `SELECT ticket.series, source_package.name AS source, upload.version FROM subticket
         JOIN ticket ON ticket.id = subticket.ticket JOIN source_package_upload upload ON upload.id = subticket.upload
         JOIN source_package ON source_package.id = upload.source_package WHERE ticket.id = ?`,
    )
    .all(ticket);
  for (const upload of uploads)
    recordPublication(db, { revision, ticket, created_at, ...upload });
  const series = uploads[0]?.series;
  if (series !== undefined)
    recordLanding(db, { series, revision, ticket, landed_at: created_at });
}

/**
 * Deletes the rows of artifacts whose files are about to be replaced: otherwise, after a kill in between,
 * a row would have the digest of the old file.
 *
 * @returns false when the lease was lost; then no row is deleted
 */
export function forgetArtifacts(
  db: Connection,
  lease: Lease,
  names: readonly string[],
): boolean {
  const forget = db.prepare(
    "DELETE FROM artifact WHERE ticket = ? AND name = ?",
  );
  return db
    .transaction(() => {
      if (!renewLease(db, lease.run)) return false;
      for (const name of names) forget.run(lease.ticket, name);
      return true;
    })
    .immediate();
}
