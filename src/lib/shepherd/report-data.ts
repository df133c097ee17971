import type { RevisionRecord } from "../backends/archive/archive.ts";
import type { Expected } from "../domain/expected.ts";
import { hasEnded } from "../domain/step.ts";
import type { Ticket } from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import { readHeldBack } from "../locks/held-back.ts";
import type { ReportInput, ReportPages } from "../report/report-input.ts";
import type { Connection } from "../state/database.ts";
import { listPpas } from "../state/ppas.ts";
import {
  allTickets,
  endedRanges,
  endedTickets,
  packageHistory,
  packageRows,
  sourcesOfTickets,
} from "../state/report-rows.ts";
import { findTicket, listTickets } from "../state/tickets.ts";
import { expectedOf } from "../tickets/expected-of.ts";
import type { Installation } from "./report-up-to-date.ts";

/** How many ended tickets the first page shows, and how many ticket numbers a page of ended tickets covers. */
const endedShown = 100;
const endedRange = 500;

/** The current conditions of the machine and the archive that the report shows. */
type Conditions = Pick<ReportInput, "locks" | "maintenance" | "warnings"> & {
  readonly revisions: readonly RevisionRecord[];
};

/**
 * Gathers the data of all pages: those that are always written, and those of single tickets and packages,
 * which are read lazily while they are written.
 *
 * @param changed ids of the tickets whose pages are to be written, along with the pages of their packages
 *   and ranges; null: all pages
 */
export function reportData(
  db: Connection,
  { paths, config }: Installation,
  { locks, maintenance, warnings, revisions }: Conditions,
  changed: readonly number[] | null,
): { input: ReportInput; pages: ReportPages } {
  const withExpected = addingExpected(expectedOf({ db, paths, config }));
  const ticketOf = (id: number): Ticket[] => {
    const ticket = findTicket(db, id);
    return ticket === undefined ? [] : [withExpected(ticket)];
  };
  const ranges = endedRanges(db, endedRange);
  const held = maintenance === null ? null : readHeldBack(paths.run);
  const tickets = changed ?? allTickets(db);
  return {
    input: {
      title: config.get("report.title"),
      generated_at: now(),
      open: listTickets(db, { open: true }).map(withExpected).reverse(),
      ended: endedTickets(db, { limit: endedShown }).flatMap(ticketOf),
      ended_ranges: ranges,
      packages: packageRows(db),
      revisions,
      ppas: listPpas(db),
      locks,
      maintenance,
      held_back: Object.entries(held?.commands ?? {}).map(
        ([name, { first, last, times }]) => ({ name, first, last, times }),
      ),
      warnings,
      signatures_optional: config.get("admission.signatures") === "optional",
    },
    pages: {
      tickets: lazily(tickets, ticketOf),
      ranges: lazily(ranges, (range) =>
        tickets.some((id) => id >= range.from && id <= range.to)
          ? [{ ...range, tickets: endedTickets(db, range).flatMap(ticketOf) }]
          : [],
      ),
      packages: lazily(sourcesOfTickets(db, tickets), (source) => [
        { source, history: packageHistory(db, source) },
      ]),
    },
  };
}

/** Adds the expected times to open tickets only: pages of ended ones do not change. */
const addingExpected =
  (expected: ReadonlyMap<number, Expected>) =>
  (ticket: Ticket): Ticket =>
    hasEnded(ticket.step.code)
      ? ticket
      : { ...ticket, expected: expected.get(ticket.id) ?? null };

function* lazily<T, U>(
  items: Iterable<T>,
  make: (item: T) => readonly U[],
): Generator<U> {
  for (const item of items) yield* make(item);
}
