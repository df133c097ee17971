import { refused } from "../domain/error.ts";
import type { LandingExplanation } from "../domain/explain/landing.ts";
import { explainLanding as explanationOf } from "../domain/explain/landing.ts";
import type { Landing, LandingsReport } from "../domain/landing.ts";
import { deployable } from "../domain/landing.ts";
import type { QaPlan, Verdict } from "../domain/qa.ts";
import { noLanding, planVerdict } from "../domain/qa.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "../state/database.ts";
import {
  deployedRevision,
  doubtfulSpans,
  landedRevisions,
  landedSeries,
  landingsAt,
  lastVerdict,
  listLandings,
  recordVerdict,
} from "../state/landings.ts";
import type { LocalState } from "./local-state.ts";
import { knownSeries } from "./known-series.ts";
import type { LandingsRequest } from "./ticket-system.ts";

/** How many landings are listed unless more are asked for. */
const usual = 100;

/**
 * What landed in a series, and which revision of it may be deployed.
 *
 * @throws UbuntuCiError (2) when there is no such series
 */
export function reportLandings(
  state: LocalState,
  { series: wanted, all, limit }: LandingsRequest,
): LandingsReport {
  const { db } = state;
  const series = seriesFor(state, wanted);
  // All of it is read from one state of the database.
  return db.transaction(() => {
    const status = statusOf(db, series);
    const landings = listLandings(db, series, {
      above: all === true ? 0 : (status.deployed_revision ?? 0),
      limit: limit ?? (all === true ? -1 : usual),
    });
    return { ...status, landings };
  })();
}

function statusOf(
  db: Connection,
  series: string,
): Omit<LandingsReport, "landings"> {
  const deployed = deployedRevision(db, series);
  const { revision, blockedBy } = deployable(
    landedRevisions(db, series),
    doubtfulSpans(db, series),
    deployed,
  );
  return {
    series,
    deployable_revision: revision,
    deployed_revision: deployed,
    blocked_by: blockedBy,
  };
}

function seriesFor(
  { db, paths, config }: LocalState,
  wanted: string | undefined,
): string {
  const [configured] = config.get("series") ?? [];
  const landed = landedSeries(db);
  if (wanted === undefined)
    return configured ?? landed[0] ?? knownSeries(paths, config)[0] ?? "";
  const known = [...new Set([...landed, ...knownSeries(paths, config)])].sort();
  if (known.includes(wanted)) return wanted;
  throw refused(
    `there is no series ${JSON.stringify(wanted)}`,
    `known are ${known.join(", ")}`,
  );
}

/** What recording a verdict would do. @throws UbuntuCiError (2) when that is refused */
export function planQa(
  { db }: LocalState,
  revision: number,
  verdict: Verdict,
): QaPlan {
  const { rollbackOf } = verdict;
  return planVerdict(
    revision,
    landingsAt(db, revision),
    rollbackOf === null ? [] : landingsAt(db, rollbackOf),
    verdict,
    now(),
  );
}

/** Records a verdict on a landing. @throws UbuntuCiError (2) when that is refused */
export function recordQa(
  state: LocalState,
  revision: number,
  verdict: Verdict,
): QaPlan {
  const { db, actor } = state;
  return db
    .transaction(() => {
      const plan = planQa(state, revision, verdict);
      recordVerdict(db, landingsAt(db, revision), verdict, actor);
      return plan;
    })
    .immediate();
}

/** Why a landing is deployable or not. @throws UbuntuCiError (2) when there is no such landing */
export function explainLanding(
  { db }: LocalState,
  revision: number,
): LandingExplanation {
  return db.transaction(() => {
    const [landing] = landingsAt(db, revision);
    if (landing === undefined) throw noLanding(revision);
    const status = statusOf(db, landing.series);
    return explanationOf(
      landing,
      status,
      blockerOf(db, status),
      lastVerdict(db, revision),
    );
  })();
}

function blockerOf(
  db: Connection,
  { series, blocked_by }: { series: string; blocked_by: number | null },
): Landing | null {
  if (blocked_by === null) return null;
  const found = landingsAt(db, blocked_by);
  return found.find((one) => one.series === series) ?? null;
}
