import { table } from "../../cli/columns.ts";
import type { Landing, LandingsReport } from "../../lib/domain/landing.ts";
import type { Advice } from "../../lib/domain/remedy.ts";
import { remedy } from "../../lib/domain/remedy.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";

/** What landed, newest last, then which revision may be deployed and what blocks it. */
export function landingsText(
  report: LandingsReport,
  write: (advice: Advice) => string,
): string {
  const { landings, blocked_by } = report;
  return textOfLines([
    ...(landings.length === 0
      ? []
      : [
          ...table([
            ["#", "qa", "landed", "what", "owner", "note"],
            ...landings.map((landing) => [
              String(landing.revision),
              stateOf(landing),
              landing.landed_at.slice(0, 16).replace("T", " "),
              whatOf(landing),
              landing.owner,
              landing.note ?? "",
            ]),
          ]).split("\n"),
          "",
        ]),
    summary(report),
    ...(blocked_by === null
      ? []
      : [
          `blocked by landing ${blocked_by}; ${write(remedy("explain", [], { landing: String(blocked_by) }))} says what helps`,
        ]),
  ]);
}

function summary({
  series,
  deployable_revision: deployable,
  deployed_revision: deployed,
  landings,
}: LandingsReport): string {
  const now =
    deployed === null
      ? "nothing is deployed yet"
      : `revision ${deployed} is deployed`;
  if (deployable === null)
    return landings.length === 0
      ? `nothing has landed in ${series}`
      : `no revision of ${series} is deployable; ${now}`;
  if (deployable === deployed)
    return `no revision of ${series} above ${deployed}, which is deployed, is deployable`;
  return `deployable revision of ${series}: ${deployable}; ${now}`;
}

function stateOf({ qa, undone_by, orphan }: Landing): string {
  if (orphan === true) return `${qa}, orphan`;
  return undone_by === null ? qa : `undone by ${undone_by}`;
}

function whatOf({
  ticket,
  sources,
  rolls_back,
  title,
  commit,
}: Landing): string {
  if (title !== undefined) return `${commit?.slice(0, 10) ?? ""} ${title}`;
  const rollback =
    rolls_back.length === 0 ? "" : `rolls back ${rolls_back.join(", ")}`;
  if (ticket === null) return rollback || "an older revision again";
  const names = sources.map(({ source, version }) => `${source} ${version}`);
  return [...names, rollback].filter((part) => part !== "").join(", ");
}
