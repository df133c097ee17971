import type { Landing, LandingsReport } from "../landing.ts";
import { landingName } from "../landing.ts";
import { isGood } from "../qa.ts";
import { advice, remedy } from "../remedy.ts";
import type { Suggestion } from "./explanation.ts";

/** Why a landing is deployable or not. */
export interface LandingExplanation {
  readonly landing: number;
  readonly series: string;
  readonly deployable: boolean;
  readonly because: readonly string[];
  /** What happens next, or null when nothing is to come. */
  readonly next: { readonly action: string; readonly at: null } | null;
  readonly unblock: Suggestion["command"] | null;
  /** Every command that helps, the one in `unblock` first. */
  readonly commands: readonly Suggestion[];
}

/**
 * Explains a landing.
 *
 * @param series what the shepherd knows about its series
 * @param blocker the landing that blocks the series, where one does
 * @param verdict who gave the last verdict, and when
 */
export function explainLanding(
  landing: Landing,
  series: Omit<LandingsReport, "landings">,
  blocker: Landing | null,
  verdict: { readonly actor: string; readonly at: string } | null,
): LandingExplanation {
  const { revision, undone_by, qa, note } = landing;
  const { deployable_revision: newest, deployed_revision: deployed } = series;
  const deployable = newest !== null && revision <= newest;
  const said =
    landing.ticket === null && landing.commit === undefined
      ? "it needs no testing: it only takes out or brings back what landed before"
      : [
          `it is ${qa}`,
          landing.orphan === true
            ? ", an orphan: its message names no bug, and has no clause such as [no-qa]"
            : "",
          verdict === null ? "" : `, said ${verdict.actor} at ${verdict.at}`,
          landing.qa_until === null ? "" : `, until ${landing.qa_until}`,
          note === null ? "" : `: ${note}`,
        ].join("");
  const gone =
    undone_by === null
      ? []
      : [`landing ${undone_by} took it out of the archive again`];
  if (deployable) {
    const isDeployed = deployed !== null && revision <= deployed;
    return {
      landing: revision,
      series: series.series,
      deployable,
      because: [
        ...gone,
        said,
        isDeployed
          ? `revision ${deployed}, which is deployed, contains it`
          : `revision ${newest} is deployable, and contains it`,
      ],
      next: null,
      ...suggested(
        isDeployed || landing.commit !== undefined
          ? []
          : [
              {
                command: remedy("archive promote", [newest]),
                effect: `deploys revision ${newest}: clients of ${series.series}-stable see it`,
              },
            ],
      ),
    };
  }
  const holding = blocker ?? landing;
  const waits =
    holding.revision === revision
      ? []
      : [
          `${landingName(holding)} is ${holding.qa}, and a revision is deployed with all that it contains`,
        ];
  return {
    landing: revision,
    series: series.series,
    deployable,
    because: [...gone, said, ...waits],
    next: {
      action: `it becomes deployable with the first revision in which every landing is good`,
      at: null,
    },
    ...suggested(isGood(holding.qa) ? [] : waysOn(holding)),
  };
}

function suggested(commands: readonly Suggestion[]) {
  return { unblock: commands[0]?.command ?? null, commands };
}

/** What a person can do about a landing that blocks. */
function waysOn({ revision, qa, ticket, commit }: Landing): Suggestion[] {
  const verdict = {
    command: remedy("qa", [revision, "ok"]),
    effect: `says that landing ${revision} was tried and works`,
  };
  const undo = {
    command: remedy("archive undo", [revision], { reason: "TEXT" }),
    effect: `takes landing ${revision} out again and keeps the later ones`,
  };
  const rollback = {
    command: remedy("qa", ["LATER", "ok"], { rollback: String(revision) }),
    effect:
      commit === undefined
        ? advice`says that a later landing rolls it back, after ${remedy("create_ticket")} landed one that does`
        : `says that a later commit rolls it back, as [rollback=${revision}] in its message does`,
  };
  if (commit !== undefined)
    return qa === "bad" ? [rollback, verdict] : [verdict];
  if (ticket === null) return [verdict];
  return qa === "bad" ? [undo, rollback, verdict] : [verdict, undo];
}
