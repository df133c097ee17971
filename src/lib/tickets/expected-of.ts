import type { Expected } from "../domain/expected.ts";
import { expectedTimes } from "../domain/expected.ts";
import { readMaintenance } from "../locks/maintenance.ts";
import {
  recentlyFinished,
  ticketsOnTheirWay,
} from "../state/finished-tickets.ts";
import type { LocalState } from "./local-state.ts";

/** Of a longer queue, the source packages behind these tickets are not looked up each by itself. */
const lookedUp = 100;

/** When each open ticket can expect to start and to be complete. Held ones have no entry. */
export function expectedOf({
  db,
  paths,
  config,
}: Pick<LocalState, "db" | "paths" | "config">): ReadonlyMap<number, Expected> {
  const { inFlight, queue } = ticketsOnTheirWay(db);
  const sources = [...inFlight, ...queue]
    .slice(0, lookedUp)
    .flatMap((ticket) => ticket.sources);
  const found = expectedTimes(
    Date.now(),
    config.get("concurrency"),
    inFlight,
    queue,
    recentlyFinished(db, sources),
  );
  if (readMaintenance(paths.maintenance) === null) return found;
  // During maintenance nothing starts, and its end is unknown.
  return new Map(
    [...found].map(([id, { landings }]) => [
      id,
      { start: null, end: null, landings, unknown: "maintenance is on" },
    ]),
  );
}
