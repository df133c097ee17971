import { refused } from "./error.ts";
import type { Landing, QaState } from "./landing.ts";
import { landingName } from "./landing.ts";
import type { Plan } from "./plan.ts";
import { advice, remedy } from "./remedy.ts";

/** What somebody says about a landing. */
export interface Verdict {
  readonly qa: QaState;
  /** The earlier landing that it rolls back; null leaves what was said before. */
  readonly rollbackOf: number | null;
  /** ISO 8601 UTC; the landing needs testing again from then on. Null for never. */
  readonly until: string | null;
  readonly note: string | null;
}

/** A verdict in words: "ok until 2026-12-01T00:00:00.000Z, which rolls back 5: tried it". */
export function verdictInWords({
  qa,
  rollbackOf,
  until,
  note,
}: Verdict): string {
  return [
    qa,
    until === null ? "" : ` until ${until}`,
    rollbackOf === null ? "" : `, and rolls back landing ${rollbackOf}`,
    note === null ? "" : `: ${note}`,
  ].join("");
}

export interface QaPlan extends Plan {
  readonly revision: number;
}

/**
 * Plans to record a verdict.
 *
 * @param landings those of the revision, one for each series that it changed
 * @param rolledBack those of the revision that the verdict says is rolled back
 * @param now ISO 8601 UTC
 * @throws UbuntuCiError (2) when there is no such landing, or it cannot have that verdict
 */
export function planVerdict(
  revision: number,
  landings: readonly Landing[],
  rolledBack: readonly Landing[],
  verdict: Verdict,
  now: string,
): QaPlan {
  const [landing] = landings;
  if (landing === undefined) throw noLanding(revision);
  const { undone_by, qa, ticket, commit } = landing;
  if (landings.every((one) => one.undone_by !== null))
    throw refused(
      `landing ${revision} was taken out of the archive by landing ${undone_by ?? ""}: no verdict on it counts`,
      advice`${remedy("explain", [], { landing: String(revision) })} says more`,
    );
  const { rollbackOf, until } = verdict;
  if (rollbackOf !== null) {
    if (ticket === null && commit === undefined)
      throw refused(
        `landing ${revision} is not a ticket's: what it rolls back is known`,
      );
    if (rolledBack.length === 0) throw noLanding(rollbackOf);
    if (
      rollbackOf >= revision ||
      !rolledBack.some(({ series }) => series === landing.series)
    )
      throw refused(
        `landing ${revision} cannot roll back landing ${rollbackOf}: that is no earlier landing of ${landing.series}`,
      );
  }
  if (until !== null && until <= now)
    throw refused(`--until ${until} has passed already`);
  if (until !== null && !isGood(verdict.qa))
    throw refused(
      `--until is when a verdict stops letting a landing through; ${verdict.qa} does not let it through`,
    );
  return {
    command: "qa",
    revision,
    actions: [
      `record that ${landingName(landing)}, ${qa} so far, is ${verdictInWords(verdict)}`,
    ],
  };
}

/** Whether a landing in this state may be deployed. */
export function isGood(qa: QaState): boolean {
  return qa === "ok" || qa === "untestable";
}

/** @returns the error (2) that no landing has this revision */
export function noLanding(revision: number) {
  return refused(
    `nothing landed in revision ${revision}`,
    advice`${remedy("landings", [], { all: true })} shows what did`,
  );
}
