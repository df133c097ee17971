import { refused } from "./error.ts";
import type { Landing } from "./landing.ts";
import { landingName } from "./landing.ts";
import type { Plan } from "./plan.ts";
import { advice, remedy } from "./remedy.ts";

/** What is asked: to have clients of the stable suite see a revision. */
export interface PromotionRequest {
  /** Default: the deployable one. */
  readonly revision: number | null;
  /** Also one that is not deployable. */
  readonly force: boolean;
  readonly reason: string | null;
}

/** A series as it is before a promotion. */
export interface PromotionGround {
  readonly series: string;
  readonly deployable: number | null;
  readonly deployed: number | null;
  /** The landing of the wanted revision, if it is one of this series. */
  readonly landing: Landing | undefined;
  /** Landings that have their effect in the wanted revision and are bad or need testing. */
  readonly doubtful: readonly Landing[];
}

export interface PromotionPlan extends Plan {
  readonly series: string;
  readonly revision: number;
  /** It is promoted although it is not deployable. */
  readonly forced: boolean;
}

/** The suite that has the promoted revision of a series. */
export const stableSuite = (series: string) => `${series}-stable`;

/** The series that a suite shows a promoted revision of; null where its name is no such one. */
export const seriesOfStable = (suite: string) =>
  /^(.+)-stable$/.exec(suite)?.[1] ?? null;

/**
 * The revision that a promotion is about.
 *
 * @throws UbuntuCiError (2) when none is named, and none is deployable
 */
export function revisionToPromote(
  { revision }: PromotionRequest,
  { series, deployable }: Pick<PromotionGround, "series" | "deployable">,
): number {
  const wanted = revision ?? deployable;
  if (wanted !== null) return wanted;
  throw refused(
    `no revision of ${series} is deployable`,
    advice`${remedy("landings", [], { series })} says what blocks`,
  );
}

/**
 * Plans to promote a revision.
 *
 * @throws UbuntuCiError (2) when nothing landed in it, or it is not deployable and not forced
 */
export function planPromotion(
  revision: number,
  { force, reason }: PromotionRequest,
  { series, deployed, landing, doubtful }: PromotionGround,
): PromotionPlan {
  if (landing === undefined)
    throw refused(
      `nothing landed in ${series} with revision ${revision}`,
      advice`${remedy("landings", [], { series, all: true })} shows what did`,
    );
  const why = whyNot(landing, doubtful);
  if (why !== null && !force)
    throw refused(
      `revision ${revision} is not deployable: ${why}`,
      advice`${remedy("explain", [], { landing: String(doubtful[0]?.revision ?? revision) })} says what helps; --force --reason TEXT promotes it all the same`,
    );
  if (force && reason === null)
    throw refused("--force needs a reason", "--reason TEXT");
  const suite = stableSuite(series);
  return {
    command: "archive promote",
    series,
    revision,
    forced: why !== null,
    actions: [
      `have ${suite} show revision ${revision}${deployed === null ? ", its first" : ` instead of ${deployed}`}`,
      ...(deployed !== null && revision < deployed
        ? [
            `clients that have the newer packages of ${deployed} keep them: apt goes back only when it is told to`,
          ]
        : []),
    ],
  };
}

function whyNot(landing: Landing, doubtful: readonly Landing[]): string | null {
  if (landing.undone_by !== null)
    return `landing ${landing.undone_by} took it out of the archive again`;
  return doubtful.length === 0
    ? null
    : doubtful.map((one) => `${landingName(one)} is ${one.qa}`).join(", ");
}
