import type {
  Landing,
  LandingsReport,
  WaitingLanding,
} from "../domain/landing.ts";
import { deployable } from "../domain/landing.ts";
import type { Verdict } from "../domain/qa.ts";
import type { VerdictGiver } from "../state/verdicts.ts";
import {
  doubtfulLandings,
  doubtfulSpans,
  newestLanding,
  landedSeries,
  landingsAt,
  listLandings,
  setVerdict,
} from "../state/landings.ts";
import { deployedRevision } from "../state/promotions.ts";
import { lastVerdict, recordVerdict } from "../state/verdicts.ts";
import { knownSeries } from "./known-series.ts";
import type { Installed } from "./local-state.ts";

export type SeriesStatus = Omit<LandingsReport, "landings">;

/** Where landings come from. All of it is read from one state of the database, inside the caller's transaction. */
export interface LandingSource {
  /** The series there are; the first is the default. */
  readonly series: readonly string[];
  status(series: string): SeriesStatus;
  /** How far the change source has gone, in words. */
  found(series: string): string;
  /** The newest landings of a series above a revision, newest last; a limit of -1 is none. */
  list(
    series: string,
    which: { readonly above: number; readonly limit: number },
  ): readonly Landing[];
  /** Those whose effect lasts and that are bad or need testing, oldest first. */
  waiting(series: string): readonly WaitingLanding[];
  /** A revision's landings, one for each series that it changed. */
  at(revision: number): readonly Landing[];
  /** Records a verdict on all landings of a revision. */
  record(landings: readonly Landing[], verdict: Verdict, actor: string): void;
  lastVerdict(landing: Landing): VerdictGiver | null;
}

/** The source of landings that the configuration names. @throws UbuntuCiError (78) when it cannot be read */
export async function landingSource(state: Installed): Promise<LandingSource> {
  if (state.config.get("shepherd.source") === "archive")
    return publishedLandings(state);
  const { committedLandings } = await import("./committed-landings.ts");
  return committedLandings(state);
}

/** Tickets as they were published, and what took them out of the archive again. */
function publishedLandings({ db, paths, config }: Installed): LandingSource {
  return {
    series: [
      ...new Set([
        ...(config.get("series") ?? []),
        ...landedSeries(db),
        ...knownSeries(paths, config),
      ]),
    ],
    status(series) {
      const deployed = deployedRevision(db, series);
      const { revision, blockedBy } = deployable(
        (limit) => newestLanding(db, series, limit),
        doubtfulSpans(db, series),
        deployed,
      );
      return {
        series,
        deployable_revision: revision,
        deployed_revision: deployed,
        blocked_by: blockedBy,
      };
    },
    found: (series) => {
      const newest = newestLanding(db, series);
      return newest === undefined
        ? `nothing has landed in ${series}`
        : `the archive is at landing ${newest} of ${series}`;
    },
    list: (series, which) => listLandings(db, series, which),
    waiting: (series) => doubtfulLandings(db, series),
    at: (revision) => landingsAt(db, revision),
    record(landings, verdict, actor) {
      setVerdict(db, landings, verdict);
      recordVerdict(db, landings, verdict, actor);
    },
    lastVerdict: ({ revision }) => lastVerdict(db, { revision }),
  };
}
