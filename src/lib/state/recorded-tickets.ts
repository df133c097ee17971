import type { Finding, Requirement } from "../domain/policy.ts";
import { requirements } from "../domain/policy.ts";
import type {
  RecordedRun,
  RecordedTicket,
} from "../domain/recorded-decision.ts";
import { stepOfRequirement } from "../domain/recorded-decision.ts";
import { testsStep } from "../domain/step.ts";
import type { Outcome, TestResult } from "../domain/ticket.ts";
import type { Connection } from "./database.ts";
import { prepared } from "./database.ts";
import { overridesOf } from "./tickets.ts";

interface TicketRow {
  id: number;
  series: string;
  published: 0 | 1;
  lacking: 0 | 1;
  sources: string;
}

interface RunRow {
  id: number;
  step: number;
  outcome: Outcome | null;
  reason: string | null;
  started_at: string;
}

/**
 * What is on record of every ticket that has begun, oldest first.
 *
 * @param only that ticket alone
 */
export function* recordedTickets(
  db: Connection,
  only?: number,
): Generator<RecordedTicket> {
  const rows = db.prepare<{ only: number | null; step: number }, TicketRow>(
    `SELECT ticket.id, ticket.series, archive_revision IS NOT NULL AS published,
        set_aside IS 'approval' AND ticket.step = @step AS lacking,
        (SELECT json_group_array(json_object('source', source_package.name, 'version', upload.version) ORDER BY subticket.id)
           FROM subticket JOIN source_package_upload upload ON upload.id = subticket.upload
           JOIN source_package ON source_package.id = upload.source_package WHERE subticket.ticket = ticket.id) AS sources
       FROM ticket WHERE (@only IS NULL OR ticket.id = @only)
         AND EXISTS (SELECT 1 FROM run WHERE run.ticket = ticket.id) ORDER BY ticket.id`,
  );
  // Others may write meanwhile; a list of rows does not hold a reader open.
  const found = rows.all({ only: only ?? null, step: testsStep });
  for (const { id, series, published, lacking, sources } of found)
    yield {
      id,
      series,
      published: published === 1,
      lacking: lacking === 1,
      sources: JSON.parse(sources) as RecordedTicket["sources"],
      overrides: overridesOf(db, id),
      runs: runsOf(db, id),
    };
}

function runsOf(db: Connection, ticket: number): RecordedTicket["runs"] {
  const found: Partial<Record<Requirement, RecordedRun>> = {};
  const runs = prepared<[number], RunRow>(
    db,
    "SELECT id, step, outcome, reason, started_at FROM run WHERE ticket = ? ORDER BY id",
  ).all(ticket);
  const findings = prepared<[number], Finding & { run: number }>(
    db,
    `SELECT run, requirement, source, architecture, result, finding.reason
       FROM run CROSS JOIN finding ON finding.run = run.id WHERE ticket = ?`,
  ).all(ticket);
  const tests = prepared<[number], TestResult & { run: number }>(
    db,
    "SELECT run, package, name, result, seconds, detail FROM test_result WHERE ticket = ? ORDER BY id",
  ).all(ticket);
  for (const requirement of requirements) {
    const last = runs.findLast(
      ({ step }) => step === stepOfRequirement[requirement],
    );
    if (last === undefined) continue;
    const isOf = ({ run }: { run: number }) => run === last.id;
    found[requirement] = {
      ...last,
      findings: findings.filter(isOf),
      tests: tests.filter(isOf),
    };
  }
  return found;
}
