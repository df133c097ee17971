import { execOk } from "../../lib/host/exec.ts";
import type { Ticket } from "../../lib/domain/ticket.ts";
import { hasEnded } from "../../lib/domain/step.ts";
import { now } from "../../lib/host/clock.ts";
import { crashPoint } from "../../lib/files/crash-point.ts";
import { readHeldBack } from "../../lib/locks/held-back.ts";
import { adviceText } from "../../lib/host/command-line.ts";
import { heldLocks } from "../../lib/locks/lock.ts";
import { oldLock } from "../../lib/locks/lock-holder.ts";
import type { Maintenance } from "../../lib/locks/maintenance.ts";
import {
  forgottenMaintenance,
  maintenanceRefusal,
  readMaintenance,
} from "../../lib/locks/maintenance.ts";
import { readMadeFrom, writeMadeFrom } from "../../lib/report/made-from.ts";
import type { ReportPages } from "../../lib/report/report-input.ts";
import type { WrittenReport } from "../../lib/report/write-report.ts";
import { writeReport } from "../../lib/report/write-report.ts";
import type { Connection } from "../../lib/state/database.ts";
import { openCurrentDatabase, openDatabase } from "../../lib/state/database.ts";
import { recordOldLock } from "../../lib/state/old-locks.ts";
import { listPpas } from "../../lib/state/ppas.ts";
import type { TicketRange } from "../../lib/state/report-rows.ts";
import {
  allTickets,
  changedTickets,
  endedRanges,
  endedTickets,
  packageHistory,
  packageRows,
  sourcesOfTickets,
  whatHappened,
} from "../../lib/state/report-rows.ts";
import { findTicket, listTickets } from "../../lib/state/tickets.ts";
import { expectedOf } from "../../lib/tickets/expected-of.ts";
import { ticketDocument } from "../../lib/tickets/ticket-document.ts";
import type { CommandContext } from "../../cli/context.ts";
import { basisOf } from "./report-basis.ts";

/** How many ended tickets the first page shows, and how many ticket numbers a page of ended ones covers. */
const endedShown = 100;
const endedRange = 500;

/**
 * Writes the static site from the current state. Pages of single tickets and packages are rewritten only
 * if something happened to them since the last report in that folder, unless its basis has changed.
 *
 * @param all rewrite every page
 */
export async function writeStateReport(
  context: CommandContext,
  output: string,
  all: boolean,
): Promise<WrittenReport> {
  const { paths, config, actor, backends } = context;
  const maintenance = readMaintenance(paths.maintenance);
  // Reading is allowed in maintenance; creating or migrating the state is not.
  const db = openForReport(paths.database, maintenance);
  const basis = basisOf(context);
  // Read first: whatever happens from now on belongs to the next report.
  const { event } = whatHappened(db);
  const archive = await backends().archive();
  const store = await context.store();
  // Our own lock would make every report differ from the last.
  const locks = heldLocks(paths.run).filter(({ pid }) => pid !== process.pid);
  const limit = config.get("lock.warnAfterMinutes");
  const forgotten = forgottenMaintenance(
    maintenance,
    config.get("maintenance.warnAfterMinutes"),
  );
  const warnings = forgotten === null ? [] : [adviceText(forgotten)];
  for (const lock of locks) {
    const warning = oldLock(lock, limit);
    if (warning === null) continue;
    warnings.push(warning);
    if (maintenance === null) recordOldLock(db, actor, lock, warning);
  }
  // Only open tickets have expected times; pages of ended ones do not change.
  const expected = expectedOf({ db, paths, config });
  const withExpected = (ticket: Ticket): Ticket =>
    hasEnded(ticket.step.code)
      ? ticket
      : { ...ticket, expected: expected.get(ticket.id) ?? null };
  const ticketOf = (id: number): Ticket[] => {
    const ticket = findTicket(db, id);
    return ticket === undefined ? [] : [withExpected(ticket)];
  };
  const open = listTickets(db, { open: true }).map(withExpected);
  const held = maintenance === null ? null : readHeldBack(paths.run);
  const ranges = endedRanges(db, endedRange);
  const before = readMadeFrom(output);
  const changed =
    before?.basis === basis && !all ? changedTickets(db, before.event) : null;
  const written = await writeReport(
    {
      title: config.get("report.title"),
      generated_at: now(),
      open: open.reverse(),
      ended: endedTickets(db, { limit: endedShown }).flatMap(ticketOf),
      ended_ranges: ranges,
      packages: packageRows(db),
      revisions: (await archive.revisions()).map(
        ({ publications, ...revision }) => ({
          ...revision,
          sources: Object.entries(publications).flatMap(([series, of]) =>
            of
              .filter(({ kind }) => kind === "source")
              .map(({ name, version }) => ({ source: name, version, series })),
          ),
        }),
      ),
      ppas: listPpas(db),
      locks,
      maintenance,
      held_back: Object.entries(held?.commands ?? {}).map(
        ([name, { first, last, times }]) => ({ name, first, last, times }),
      ),
      warnings,
      signatures_optional: config.get("admission.signatures") === "optional",
    },
    pagesOf(db, changed, ranges, ticketOf),
    { pathOf: (at) => store.pathOf(at), documentOf: ticketDocument },
    output,
  );
  const calm = open.length === 0 && maintenance === null && locks.length === 0;
  crashPoint("report.pages-written");
  await writeMadeFrom(output, { basis, event, calm });
  return written;
}

/** The pages of these tickets and of what they belong to; all pages when the tickets are not known (null). */
function pagesOf(
  db: Connection,
  changed: readonly number[] | null,
  ranges: readonly TicketRange[],
  ticketOf: (id: number) => Ticket[],
): ReportPages {
  const tickets = changed ?? allTickets(db);
  const touched = (range: TicketRange) =>
    tickets.some((id) => id >= range.from && id <= range.to);
  return {
    all: changed === null,
    tickets: lazily(tickets, ticketOf),
    ranges: lazily(ranges.filter(touched), (range) => [
      { ...range, tickets: endedTickets(db, range).flatMap(ticketOf) },
    ]),
    packages: lazily(sourcesOfTickets(db, tickets), (source) => [
      { source, history: packageHistory(db, source) },
    ]),
  };
}

function* lazily<T, U>(
  items: Iterable<T>,
  make: (item: T) => readonly U[],
): Generator<U> {
  for (const item of items) yield* make(item);
}

function openForReport(
  file: string,
  maintenance: Maintenance | null,
): Connection {
  if (maintenance === null) return openDatabase(file);
  const db = openCurrentDatabase(file);
  if (db === undefined) throw maintenanceRefusal(maintenance);
  return db;
}

/** Uploads the report to a web host. The trailing slash makes rsync copy the contents, not the folder. */
export async function sendReport(
  output: string,
  target: string,
): Promise<void> {
  const { RSYNC_PASSWORD, SSH_AUTH_SOCK } = process.env;
  await execOk(["rsync", "--archive", "--delete", "--", `${output}/`, target], {
    env: {
      ...(RSYNC_PASSWORD !== undefined && { RSYNC_PASSWORD }),
      ...(SSH_AUTH_SOCK !== undefined && { SSH_AUTH_SOCK }),
    },
  });
}
