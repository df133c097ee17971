import { readFileSync } from "node:fs";
import { join } from "node:path";

import { packageFolder, publishedNames } from "../domain/published-name.ts";
import type { Ticket } from "../domain/ticket.ts";
import { hasEnded } from "../domain/step.ts";
import { failureGroups } from "../domain/failure-groups.ts";
import { testHistory } from "../domain/test-history.ts";
import { programRoot } from "../host/paths.ts";
import { atomFeed } from "./feeds.ts";
import { failureTail } from "./failure-tail.ts";
import type { WritePage } from "./page-renderer.ts";
import { framePage, pageWriter } from "./page-renderer.ts";
import { ownerFeed, people } from "./people.ts";
import type {
  FeedData,
  ReportInput,
  ReportPages,
  TicketSources,
} from "./report-input.ts";
import type { Site } from "./site.ts";
import { writeTicketLogs } from "./ticket-logs.ts";
import * as view from "./view-model.ts";

/** The feeds that are about everything. */
export const commonFeeds = [
  { path: "feeds/all.atom", title: "Everything that happens" },
  { path: "feeds/regressions.atom", title: "What got worse" },
] as const;

/**
 * Writes the pages of a report: index, tickets/N/, ended/FROM-TO/, packages/SOURCE/, landings/, health/,
 * with JSON beside each. Pages of what has ended do not contain the time they were made, so that nothing
 * is transferred when nothing else changed.
 *
 * @param pages the tickets, ranges and source packages that may have changed
 * @throws the signal's reason when it was aborted, between two pages
 */
export async function writeReport(
  site: Site,
  input: ReportInput,
  pages: ReportPages,
  sources: TicketSources,
  signal?: AbortSignal,
): Promise<void> {
  const write = pageWriter(site, input);
  const css = readFileSync(join(programRoot, "templates/style.css"), "utf8");
  site.write("style.css", css);
  // Lets signals be noticed.
  const pause = async () => {
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  };
  for (const ticket of pages.tickets) {
    await pause();
    await writeTicket(site, write, ticket, sources, input, signal);
  }
  const writeFeed = ({ events, ...feed }: FeedData, asOf: string) => {
    const { title: name, url, origin } = input;
    site.write(
      feed.path,
      atomFeed({ ...feed, site: name, url, origin, asOf }, events),
    );
  };
  for (const feed of pages.feeds) {
    await pause();
    writeFeed(feed, firstDay);
  }
  for (const { from, to, tickets } of pages.ranges) {
    await pause();
    const folder = `ended/${view.rangeFolder({ from, to })}`;
    site.whole(folder);
    write({
      folder,
      template: "ended",
      title: `Ended tickets ${from} to ${to}`,
      data: { tickets },
      json: { tickets },
      asOf: view.newest(tickets.map(({ updated_at }) => updated_at)),
    });
    site.close(folder);
  }
  for (const { kind, name, total, tickets } of pages.lists) {
    await pause();
    const folder = `${kind}/${packageFolder(name)}`;
    site.whole(folder);
    write({
      folder,
      template: "status",
      title:
        kind === "series"
          ? `Tickets of ${name}`
          : `Tickets with status ${name}`,
      data: { tickets, total },
      json: { [kind]: name, total, tickets },
      asOf: input.as_of,
      everyTime: true,
    });
    site.close(folder);
  }
  for (const one of pages.packages) {
    await pause();
    const { source, history, tested } = one;
    const folder = `packages/${packageFolder(source)}`;
    const tests = testHistory(tested);
    const published = view.published(one);
    const asOf = view.newest(history.map(({ updated_at }) => updated_at));
    const feed = {
      path: `${folder}/feed.atom`,
      page: `${folder}/index.html`,
      title: `${source} in ${input.title}`,
    };
    site.whole(folder);
    writeFeed({ ...feed, events: one.events }, asOf);
    write({
      folder,
      template: "package",
      title: source,
      feeds: [feed],
      data: { source, history, tested, tests, published },
      json: { source, published, history, tests, tested },
      asOf,
    });
    site.close(folder);
  }
  const { open, ended, ended_ranges, packages, revisions } = input;
  const { ppas, locks, maintenance, held_back, warnings } = input;
  await pause();
  const always = { data: {}, asOf: input.as_of, everyTime: true };
  write({
    ...always,
    folder: "",
    template: "front",
    title: "Now",
    feeds: commonFeeds,
    json: {
      needs: input.needs,
      more_needs: input.more_needs,
      deployable: input.series,
      hot_spots: input.hot_spots,
      counts: input.counts,
      tickets: open.map((ticket) => {
        // Files that are in the report have URLs relative to the page.
        const urls = fileUrls(ticket, `tickets/${ticket.id}/`);
        return sources.documentOf(ticket, ({ name }) => urls.get(name) ?? null);
      }),
      ended,
      ended_ranges,
    },
  });
  const groups = failureGroups(input.failed);
  write({
    ...always,
    folder: "failures",
    template: "failures",
    title: "Failures",
    data: { groups },
    json: { failures: groups },
  });
  const all = people(input);
  site.whole("owners");
  for (const person of all) {
    await pause();
    const folder = `owners/${packageFolder(person.owner)}`;
    site.whole(folder);
    write({
      ...always,
      folder,
      template: "owner",
      title: person.owner,
      // Before something happened to a ticket of theirs there is none.
      feeds:
        person.failed.length === 0
          ? []
          : [{ path: ownerFeed(person.owner), title: person.owner }],
      data: { person },
      json: {
        ...person,
        open: person.open.map(({ id, title, status, step, updated_at }) => ({
          ...{ id, title, status, step, updated_at },
        })),
      },
    });
    site.close(folder);
  }
  write({
    ...always,
    folder: "owners",
    template: "owners",
    title: "Owners",
    data: { people: all },
    json: {
      owners: all.map(({ owner, ...has }) => ({
        owner,
        failed: has.failed.length,
        landings: has.landings.length,
        open: has.open.length,
      })),
    },
  });
  write({
    ...always,
    folder: "packages",
    template: "packages",
    title: "Packages",
    json: { packages },
  });
  write({
    ...always,
    folder: "landings",
    template: "landings",
    title: "Landings",
    feeds: commonFeeds,
    json: { deployable: input.series, landings: input.landings, revisions },
  });
  write({
    ...always,
    folder: "health",
    template: "health",
    title: "Health",
    json: { ppas, locks, maintenance, held_back, warnings },
  });
}

/** When a feed without entries was updated last: nothing ever happened. */
const firstDay = view.newest([]);

/** Writes a ticket's page, and its files beside it. */
async function writeTicket(
  site: Site,
  write: WritePage,
  ticket: Ticket,
  {
    pathOf,
    documentOf,
    explanationOf,
    testedBefore,
    aptSourcesOf,
  }: TicketSources,
  input: ReportInput,
  signal: AbortSignal | undefined,
): Promise<void> {
  const folder = `tickets/${ticket.id}`;
  const isOpen = !hasEnded(ticket.step.code);
  const urls = fileUrls(ticket, "");
  const explanation = explanationOf(ticket);
  site.whole(folder);
  const shown = view.shownArtifacts(ticket);
  const names = publishedNames(shown.map(({ name }) => name));
  for (const artifact of shown)
    await site.place(
      `${folder}/files/${names.get(artifact.name) ?? ""}`,
      pathOf(artifact),
      artifact.sha256,
    );
  const logs = await writeTicketLogs(
    site,
    {
      ...{ ticket, folder, shown, names, pathOf, basis: input.title },
      frame: (place, title, body) =>
        framePage(
          input,
          { folder: place, title, asOf: ticket.updated_at },
          body,
        ),
    },
    signal,
  );
  write({
    folder,
    template: "ticket",
    title: `Ticket ${ticket.id}: ${ticket.title}`,
    data: {
      ticket,
      urls,
      logs,
      steps: view.timeline(ticket),
      tail: await failureTail(ticket, pathOf),
      explanation: ticket.status === "done" ? null : explanation,
      aptSources: await aptSourcesOf(ticket),
      tests: view.testRows(ticket, testedBefore(ticket)),
    },
    json: {
      ticket: documentOf(ticket, ({ name }) => urls.get(name) ?? null),
      explanation,
      logs: logs.list,
    },
    asOf: isOpen ? input.as_of : ticket.updated_at,
    everyTime: isOpen,
  });
  site.close(folder);
}

/**
 * URLs of the files that are published with a ticket, by the artifact's name.
 *
 * @param to prefix that leads to the folder of the ticket's page
 */
function fileUrls(ticket: Ticket, to: string): ReadonlyMap<string, string> {
  const names = publishedNames(
    view.shownArtifacts(ticket).map(({ name }) => name),
  );
  return new Map(
    [...names].map(([name, published]) => [
      name,
      `${to}files/${encodeURIComponent(published)}`,
    ]),
  );
}
