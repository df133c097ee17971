import { ownerFeed } from "../report/people.ts";
import type { FeedData } from "../report/report-input.ts";
import type { Connection } from "../state/database.ts";
import {
  feedEventsOf,
  feedNews,
  newestFeedEvents,
  regressions,
  ticketsOfOwners,
} from "../state/report-feeds.ts";

/**
 * The feeds in which something is new, read one by one.
 *
 * @param since number of the newest event that the feeds tell; null: all are made
 */
export function* feedsSince(
  db: Connection,
  title: string,
  since: number | null,
): Generator<FeedData> {
  const news = feedNews(db, since ?? 0);
  if (since === null || news.any)
    yield {
      path: "feeds/all.atom",
      page: "index.html",
      title: `${title}: everything that happens`,
      events: newestFeedEvents(db),
    };
  if (since === null || news.worse)
    yield {
      path: "feeds/regressions.atom",
      page: "index.html",
      title: `${title}: what got worse`,
      events: regressions(db),
    };
  for (const [owner, tickets] of ticketsOfOwners(db, news.owners))
    yield {
      path: ownerFeed(owner),
      // Who has nothing to do any more has no page.
      page: "owners/index.html",
      title: `${owner} in ${title}`,
      events: feedEventsOf(db, tickets),
    };
}
