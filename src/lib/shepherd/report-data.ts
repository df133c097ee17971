import type { RevisionRecord } from "../backends/archive/archive.ts";
import type { Expected } from "../domain/expected.ts";
import { hotSpots } from "../domain/hot-spots.ts";
import { hasEnded } from "../domain/step.ts";
import type { TestedVersion } from "../domain/test-history.ts";
import type { Ticket } from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import { readHeldBack } from "../locks/held-back.ts";
import type { Connection } from "../state/database.ts";
import type {
  PackageData,
  ReportInput,
  ReportPages,
} from "../report/report-input.ts";
import { listPpas } from "../state/ppas.ts";
import {
  allTickets,
  countsBySeries,
  countsByStatus,
  endedRanges,
  endedTickets,
  landedSince,
  newestTickets,
  packageHistory,
  packageRows,
  recentFailures,
  sourcesOfTickets,
} from "../state/report-rows.ts";
import { overridesOf, testsOf } from "../state/judged-tests.ts";
import { feedEventsOf, originOf } from "../state/report-feeds.ts";
import { deployedRevision } from "../state/promotions.ts";
import { findTicket, listTickets, ticketSummaries } from "../state/tickets.ts";
import { expectedOf } from "../tickets/expected-of.ts";
import type { LandingSource } from "../tickets/landing-source.ts";
import type { LocalState } from "../tickets/local-state.ts";
import { feedsSince } from "./report-feeds.ts";
import { needsOf, seriesStates } from "./report-needs.ts";

/** How many ended tickets the first page shows, and how many ticket numbers a page of ended tickets covers. */
const endedShown = 100;
const endedRange = 500;
/** For how many days a failure is listed by its reason and its owner, and how many at most. */
const failuresShownDays = 90;
const failuresShown = 1000;
/** How many versions with tests the page of a source package compares. */
const versionsTested = 12;
/** How many landings of each series are shown, so that a report costs the same after years. */
const landingsShown = 100;
/** How many days tell how many tickets usually land in a day. */
const crowdDays = 29;

/** The current conditions of the machine and the archive that the report shows. */
type Conditions = Pick<ReportInput, "locks" | "maintenance" | "warnings"> & {
  readonly revisions: readonly RevisionRecord[];
  /** When the newest event happened, ISO 8601 UTC; null before the first. */
  readonly newestEvent: string | null;
  /** Number of the newest event that the report shows so far; null: everything is made. */
  readonly since: number | null;
};

/**
 * Gathers the data of all pages: those that are always written, and those of single tickets and packages,
 * which are read lazily while they are written.
 *
 * @param changed ids of the tickets whose pages are to be written, along with the pages of their packages
 *   and ranges; null: all pages
 */
export function reportData(
  state: LocalState,
  source: LandingSource,
  { locks, maintenance, warnings, revisions, newestEvent, since }: Conditions,
  changed: readonly number[] | null,
): { input: ReportInput; pages: ReportPages } {
  const { db, paths, config } = state;
  const withExpected = addingExpected(expectedOf(state));
  const ticketOf = (id: number): Ticket[] => {
    const ticket = findTicket(db, id);
    return ticket === undefined ? [] : [withExpected(ticket)];
  };
  const ranges = endedRanges(db, endedRange);
  const counts = countsByStatus(db);
  const generated = now();
  const nowMs = Date.parse(generated);
  const open = listTickets(db, { open: true }).map(withExpected).reverse();
  const { needs, more } = needsOf(state, source, maintenance, nowMs);
  const held = maintenance === null ? null : readHeldBack(paths.run);
  const tickets = changed ?? allTickets(db);
  return {
    input: {
      title: config.get("report.title"),
      url: config.get("report.url"),
      origin: originOf(db) ?? "",
      generated_at: generated,
      // What runs goes on without an event; else pages stay as they are until something happens.
      as_of:
        open.some(({ status }) => status === "running") || newestEvent === null
          ? generated
          : newestEvent,
      open,
      ended: ticketSummaries(db, endedTickets(db, { limit: endedShown })),
      ended_ranges: ranges,
      packages: packageRows(db),
      needs,
      more_needs: more,
      series: seriesStates(source),
      failed: recentFailures(
        db,
        new Date(nowMs - failuresShownDays * 86_400_000).toISOString(),
        failuresShown,
      ),
      doubtful: source.series.flatMap((series) => source.waiting(series)),
      hot_spots: hotSpots(
        open.flatMap(({ eta, expected }) => eta ?? expected?.end?.latest ?? []),
        landedSince(db, new Date(nowMs - crowdDays * 86_400_000).toISOString()),
        nowMs,
      ),
      counts,
      landings: source.series.flatMap((series) => {
        const landings = source.list(series, {
          above: 0,
          limit: landingsShown,
        });
        return landings.length === 0 ? [] : [{ series, landings }];
      }),
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
          ? [
              {
                ...range,
                tickets: ticketSummaries(db, endedTickets(db, range)),
              },
            ]
          : [],
      ),
      lists: lazily(
        [
          ...Object.entries(counts).map(([name, total]) => ({
            kind: "status" as const,
            name,
            total,
          })),
          ...countsBySeries(db).map(({ series: name, count: total }) => ({
            kind: "series" as const,
            name,
            total,
          })),
        ],
        ({ kind, name, total }) => [
          {
            kind,
            name,
            total,
            tickets: ticketSummaries(
              db,
              newestTickets(db, kind, name, endedShown),
            ),
          },
        ],
      ),
      packages: lazily(sourcesOfTickets(db, tickets), (source) => [
        packageData(db, source),
      ]),
      feeds: feedsSince(db, config.get("report.title"), since),
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

function packageData(db: Connection, source: string): PackageData {
  const history = packageHistory(db, source);
  const tested: TestedVersion[] = [];
  for (const { ticket, version } of history) {
    if (tested.length === versionsTested) break;
    const tests = testsOf(db, ticket, overridesOf(db, ticket)).filter(
      (test) => test.package === source,
    );
    if (tests.length > 0) tested.push({ ticket, version, tests });
  }
  const deployed = new Map(
    [...new Set(history.map(({ series }) => series))].map((series) => [
      series,
      deployedRevision(db, series),
    ]),
  );
  const events = feedEventsOf(
    db,
    history.map(({ ticket }) => ticket),
  );
  return { source, history, tested, deployed, events };
}
