import { refused } from "../domain/error.ts";
import type { PromotionPlan, PromotionRequest } from "../domain/promotion.ts";
import { planPromotion, revisionToPromote } from "../domain/promotion.ts";
import type { Engine } from "../engine/engine.ts";
import { doubtfulIn, landingsAt } from "../state/landings.ts";
import { promotedLately, recordPromotion } from "../state/promotions.ts";
import { landingSource } from "../tickets/landing-source.ts";

/** How many landings that stand against a promotion are named. */
const named = 3;

/**
 * Plans to have clients of a series' stable suite see a revision.
 *
 * @throws UbuntuCiError (2) when there is no such series or landing, or it is not deployable and not forced
 */
export async function planPromote(
  engine: Engine,
  request: PromotionRequest & { readonly series: string | undefined },
): Promise<PromotionPlan> {
  const { db, config, backends } = engine;
  if (config.get("shepherd.source") !== "archive")
    throw refused(
      "landings are commits of a branch: the archive has no revisions of them",
      "deploy the commit, and move `shepherd.deployedRef` to it",
    );
  const source = await landingSource(engine);
  const series = request.series ?? source.series[0] ?? "";
  if (!source.series.includes(series))
    throw refused(
      `there is no series ${JSON.stringify(series)}`,
      `known are ${source.series.join(", ")}`,
    );
  const status = source.status(series);
  const { deployable_revision: deployable, deployed_revision: deployed } =
    status;
  const revision = revisionToPromote(request, { series, deployable });
  const plan = planPromotion(revision, request, {
    series,
    deployable,
    deployed,
    landing: landingsAt(db, revision).find((one) => one.series === series),
    doubtful: doubtfulIn(db, series, revision, named),
  });
  // It may be kept no more.
  await (await backends.archive()).read(revision);
  return plan;
}

/** Has clients of a series' stable suite see a revision, and records it. Killed, it can be repeated. */
export async function promote(
  engine: Engine,
  request: PromotionRequest & { readonly series: string | undefined },
): Promise<PromotionPlan> {
  const { db, backends, actor } = engine;
  const plan = await planPromote(engine, request);
  const { series, revision } = plan;
  const before = promotedLately(db, series);
  // Recorded first: from then on the revision is kept.
  recordPromotion(db, { ...plan, reason: request.reason }, actor);
  await (await backends.archive()).promote(series, revision, before);
  return plan;
}
