import { existsSync } from "node:fs";

import { refused } from "../../domain/error.ts";
import type { Plan } from "../../domain/plan.ts";
import { advice, remedy } from "../../domain/remedy.ts";
import type { UpgradeJournal } from "./journal.ts";
import { isUnfinished, lastGood, readJournal } from "./journal.ts";
import { isPlainFolder } from "./place.ts";
import { state } from "./programs.ts";
import type { ProgramVersion, Target } from "./target.ts";
import { findTarget, refuseUncommitted, versionOf } from "./target.ts";
import type { UpgradeRequest, Upgrading } from "./upgrading.ts";

export interface UpgradePlan extends Plan {
  readonly from: ProgramVersion;
  readonly goal: Target | Rollback;
}

/** The previous release, as something to go back to. */
interface Rollback {
  readonly kind: "rollback";
  readonly folder: string;
  readonly name: string;
  /** Copy of the state to put back for it, or null. */
  readonly restore: string | null;
  /** Number of events that are lost with that. */
  readonly lost: number;
}

/**
 * Plans an upgrade or a rollback.
 *
 * @param fetch whether the newest code is fetched before it is looked at
 * @throws UbuntuCiError (2, 75) when it is refused
 */
export async function planUpgrade(
  work: Upgrading,
  request: UpgradeRequest,
  fetch: boolean,
): Promise<UpgradePlan> {
  const { place, paths } = work;
  await refuseUncommitted(work);
  const from = await versionOf(work, place.program);
  const last = readJournal(place);
  const goal =
    request.rollback === true
      ? await rollbackOf(work, lastGood(last), request.force === true)
      : await findTarget(work, request.to, fetch);
  const actions = [
    ...(last !== null && isUnfinished(last)
      ? [
          `${last.phase === "finishing" ? "finish" : "undo"} the interrupted ${last.kind} to ${last.to}`,
        ]
      : []),
    `switch maintenance on, and wait up to ${request.wait} minutes for what runs`,
    ...(isPlainFolder(place)
      ? [`move ${place.program} to ${place.releases} and put a link there`]
      : []),
    `copy ${paths.database} to ${paths.backups}`,
    ...actionsTo(
      goal,
      `have ${place.program} (${from.name}) lead to`,
      place.releases,
    ),
    "run its doctor",
    "switch maintenance off",
  ];
  return { command: "upgrade", actions, from, goal };
}

function actionsTo(
  goal: Target | Rollback,
  lead: string,
  releases: string,
): string[] {
  if (goal.kind === "rollback") {
    const { restore, lost, folder, name } = goal;
    const losing = lost === 0 ? "" : `, losing ${lost} events`;
    return [
      ...(restore === null
        ? []
        : [`put ${restore} back as the state${losing}`]),
      `${lead} ${folder} (${name})`,
    ];
  }
  const get =
    goal.kind === "tarball"
      ? `unpack ${goal.file}`
      : `fetch, check out ${goal.name} (now ${goal.commit.slice(0, 9)})`;
  return [
    `${get} in ${releases}, install its packages, build it`,
    "try its migration and its doctor on a copy of the state",
    "migrate the state",
    `${lead} it`,
  ];
}

async function rollbackOf(
  work: Upgrading,
  journal: UpgradeJournal | null,
  force: boolean,
): Promise<Rollback> {
  const { place, paths } = work;
  if (journal === null || !existsSync(journal.old))
    throw refused(
      `there is no program of an upgrade to go back to in ${place.releases}`,
      "name what to go to with --to",
    );
  if (journal.state !== paths.root)
    throw refused(
      `the last upgrade was that of another state, ${journal.state}`,
      `run it with --state-dir ${journal.state}`,
    );
  const { before, after, backup, from, old } = journal;
  const common = { kind: "rollback", folder: old, name: from } as const;
  if (before === null || after === null || before.schema === after.schema)
    return { ...common, restore: null, lost: 0 };
  if (backup === null || !existsSync(backup))
    throw refused(
      `the state has another schema now (${after.schema}, then ${before.schema}), and its copy from before the ${journal.kind} is gone`,
      "name what to go to with --to",
    );
  const since = String(after.lastEvent);
  const lost = Number(await state({ ...work, journal }, "since", since));
  if (lost > 0 && !force)
    throw refused(
      `going back to ${from} takes the state of then: ${lost} events since ${journal.started_at} would be lost`,
      advice`--force does it nevertheless; ${remedy("fsck")} then tells what no longer fits together`,
    );
  return { ...common, restore: backup, lost };
}
