import { refused } from "../domain/error.ts";
import type { LandingExplanation } from "../domain/explain/landing.ts";
import { explainLanding as explanationOf } from "../domain/explain/landing.ts";
import type { Landing, LandingsReport } from "../domain/landing.ts";
import type { QaPlan, Verdict } from "../domain/qa.ts";
import { noLanding, planVerdict } from "../domain/qa.ts";
import { now } from "../host/clock.ts";
import { noteDeployable } from "../state/verdicts.ts";
import type { LandingSource, SeriesStatus } from "./landing-source.ts";
import { landingSource } from "./landing-source.ts";
import type { Installed } from "./local-state.ts";
import type { LandingsRequest } from "./ticket-system.ts";

/** How many landings are listed unless more are asked for. */
const usual = 100;

/**
 * What landed in a series, and which revision of it may be deployed.
 *
 * @throws UbuntuCiError (2) when there is no such series; (78) when the change source cannot be read
 */
export async function reportLandings(
  state: Installed,
  { series: wanted, all, limit }: LandingsRequest,
): Promise<LandingsReport> {
  const source = await landingSource(state);
  const series = seriesFor(source, wanted);
  return state.db.transaction(() => {
    const status = source.status(series);
    const landings = source.list(series, {
      above: all === true ? 0 : (status.deployed_revision ?? 0),
      limit: limit ?? (all === true ? -1 : usual),
    });
    return { ...status, landings };
  })();
}

function seriesFor(
  { series }: LandingSource,
  wanted: string | undefined,
): string {
  if (wanted === undefined) return series[0] ?? "";
  if (series.includes(wanted)) return wanted;
  throw refused(
    `there is no series ${JSON.stringify(wanted)}`,
    `known are ${series.join(", ")}`,
  );
}

/** What recording a verdict would do. @throws UbuntuCiError (2) when that is refused */
export async function planQa(
  state: Installed,
  revision: number,
  verdict: Verdict,
): Promise<QaPlan> {
  return planWith(await landingSource(state), revision, verdict);
}

function planWith(
  source: LandingSource,
  revision: number,
  verdict: Verdict,
): QaPlan {
  const { rollbackOf } = verdict;
  const rolledBack = rollbackOf === null ? [] : source.at(rollbackOf);
  return planVerdict(revision, source.at(revision), rolledBack, verdict, now());
}

/** Records a verdict on a landing. @throws UbuntuCiError (2) when that is refused */
export async function recordQa(
  state: Installed,
  revision: number,
  verdict: Verdict,
): Promise<QaPlan> {
  const source = await landingSource(state);
  return state.db
    .transaction(() => {
      const plan = planWith(source, revision, verdict);
      const landings = source.at(revision);
      source.record(landings, verdict, state.actor);
      const why = `landing ${revision} is ${verdict.qa}`;
      for (const { series } of landings) note(state, source, series, why);
      return plan;
    })
    .immediate();
}

/** Adds to the history what has become deployable since it was last looked at. */
export async function noteLandings(
  state: Installed,
  why: string | null = null,
): Promise<void> {
  const source = await landingSource(state);
  state.db
    .transaction(() => {
      for (const series of source.series) note(state, source, series, why);
    })
    .immediate();
}

function note(
  { db, actor }: Installed,
  source: LandingSource,
  series: string,
  why: string | null,
): void {
  noteDeployable(db, source.status(series), source.found(series), why, actor);
}

/** Why a landing is deployable or not. @throws UbuntuCiError (2) when there is no such landing */
export async function explainLanding(
  state: Installed,
  revision: number,
): Promise<LandingExplanation> {
  const source = await landingSource(state);
  return state.db.transaction(() => {
    const [landing] = source.at(revision);
    if (landing === undefined) throw noLanding(revision);
    const status = source.status(landing.series);
    return explanationOf(
      landing,
      status,
      blockerOf(source, status),
      source.lastVerdict(landing),
    );
  })();
}

function blockerOf(
  source: LandingSource,
  { series, blocked_by }: SeriesStatus,
): Landing | null {
  if (blocked_by === null) return null;
  return (
    source.at(blocked_by).find((landing) => landing.series === series) ?? null
  );
}
