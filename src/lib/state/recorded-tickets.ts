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
import { overridesOf } from "./judged-tests.ts";

interface TicketRow {
  id: number;
  series: string;
  published: 0 | 1;
  lacking: 0 | 1;
}

interface RunRow {
  id: number;
  ticket: number;
  step: number;
  outcome: Outcome | null;
  reason: string | null;
  started_at: string;
}

/** So many tickets are read at a time: few queries for all, and little to hold in memory. */
const portion = 500;

const requirementOf = new Map<number, Requirement>(
  requirements.map((one) => [stepOfRequirement[one], one]),
);
const workSteps = [...requirementOf.keys()].join(", ");

/**
 * What is on record of every ticket that has begun, oldest first.
 *
 * @param only that ticket alone
 */
export function* recordedTickets(
  db: Connection,
  only?: number,
): Generator<RecordedTicket> {
  let after = only === undefined ? 0 : only - 1;
  const upTo = only ?? Number.MAX_SAFE_INTEGER;
  // Others may write meanwhile; a list of rows does not hold a reader open.
  for (let first = true; first || only === undefined; first = false) {
    const found = prepared<[number, number, number, number], TicketRow>(
      db,
      `SELECT ticket.id, ticket.series, archive_revision IS NOT NULL AS published,
          set_aside IS 'approval' AND ticket.step = ? AS lacking
         FROM ticket WHERE ticket.id > ? AND ticket.id <= ?
           AND EXISTS (SELECT 1 FROM run WHERE run.ticket = ticket.id) ORDER BY ticket.id LIMIT ?`,
    ).all(testsStep, after, upTo, portion);
    const last = found.at(-1)?.id;
    if (last === undefined) return;
    const runs = runsOf(db, after, last);
    const overridden = ticketsWithOverrides(db, after, last);
    const sources = sourcesOf(db, after, last);
    for (const { id, series, published, lacking } of found)
      yield {
        id,
        series,
        published: published === 1,
        lacking: lacking === 1,
        sources: sources.get(id) ?? [],
        overrides: overridden.has(id) ? overridesOf(db, id) : [],
        runs: runs.get(id) ?? {},
      };
    after = last;
  }
}

/** By ticket, its source packages. */
function sourcesOf(
  db: Connection,
  after: number,
  last: number,
): ReadonlyMap<number, RecordedTicket["sources"]> {
  const rows = prepared<
    [number, number],
    { ticket: number; source: string; version: string }
  >(
    db,
    `SELECT subticket.ticket, source_package.name AS source, upload.version
       FROM subticket JOIN source_package_upload upload ON upload.id = subticket.upload
       JOIN source_package ON source_package.id = upload.source_package
       WHERE subticket.ticket > ? AND subticket.ticket <= ? ORDER BY subticket.ticket, subticket.id`,
  ).all(after, last);
  const found = new Map<number, { source: string; version: string }[]>();
  for (const { ticket, source, version } of rows) {
    const one = { source, version };
    const others = found.get(ticket);
    if (others === undefined) found.set(ticket, [one]);
    else others.push(one);
  }
  return found;
}

function ticketsWithOverrides(
  db: Connection,
  after: number,
  last: number,
): ReadonlySet<number> {
  return new Set(
    prepared<[number, number], { ticket: number }>(
      db,
      "SELECT DISTINCT ticket FROM override WHERE ticket > ? AND ticket <= ?",
    )
      .all(after, last)
      .map(({ ticket }) => ticket),
  );
}

/** By ticket, the last runs of these tickets (those after one, up to another). */
function runsOf(
  db: Connection,
  after: number,
  last: number,
): ReadonlyMap<number, RecordedTicket["runs"]> {
  const allOf = <Row>(sql: string) =>
    prepared<[number, number], Row>(db, sql).all(after, last);
  const findings = byRun(
    allOf<Finding & { run: number }>(
      `SELECT run, requirement, source, architecture, result, finding.reason
         FROM run CROSS JOIN finding ON finding.run = run.id WHERE ticket > ? AND ticket <= ?`,
    ),
  );
  const tests = byRun(
    allOf<TestResult & { run: number }>(
      "SELECT run, package, name, result, seconds, detail FROM test_result WHERE ticket > ? AND ticket <= ? ORDER BY id",
    ),
  );
  const found = new Map<number, Partial<Record<Requirement, RecordedRun>>>();
  // A later run of a step takes the place of an earlier one.
  for (const { ticket, ...run } of allOf<RunRow>(
    `SELECT id, ticket, step, outcome, reason, started_at FROM run
       WHERE ticket > ? AND ticket <= ? AND step IN (${workSteps}) ORDER BY ticket, id`,
  )) {
    const requirement = requirementOf.get(run.step);
    if (requirement === undefined) continue;
    const known = found.get(ticket) ?? {};
    found.set(ticket, known);
    known[requirement] = {
      ...run,
      findings: findings.get(run.id) ?? [],
      tests: tests.get(run.id) ?? [],
    };
  }
  return found;
}

function byRun<Row extends { readonly run: number }>(
  rows: readonly Row[],
): ReadonlyMap<number, Row[]> {
  const found = new Map<number, Row[]>();
  for (const row of rows) {
    const alike = found.get(row.run);
    if (alike === undefined) found.set(row.run, [row]);
    else alike.push(row);
  }
  return found;
}
