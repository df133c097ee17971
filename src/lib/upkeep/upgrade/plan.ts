import { existsSync } from "node:fs";

import { refused } from "../../domain/error.ts";
import type { Plan } from "../../domain/plan.ts";
import { isPlainFolder } from "./place.ts";
import { findTarget, refuseUncommitted, versionOf } from "./target.ts";
import type { UpgradeJournal } from "./journal.ts";
import { isUnfinished, lastGood, readJournal } from "./journal.ts";
import { state } from "./programs.ts";
import type { UpgradeRequest, Upgrading } from "./upgrading.ts";
import { nameOf, toolsOf } from "./upgrading.ts";
import { advice, remedy } from "../../domain/remedy.ts";

export async function planUpgrade(
  work: Upgrading,
  request: UpgradeRequest,
): Promise<Plan> {
  const { place, paths } = work;
  const tools = toolsOf(work, null);
  const left = readJournal(place);
  const plan: string[] = [];
  if (left !== null && isUnfinished(left))
    plan.push(
      `${left.phase === "finishing" ? "finish" : "undo"} the interrupted ${left.kind} to ${left.to}`,
    );
  const from = nameOf(await versionOf(tools, place.program));
  plan.push(
    `switch maintenance on, and wait up to ${request.waitMinutes} minutes for what runs`,
    ...(isPlainFolder(place)
      ? [`move ${place.program} to ${place.releases} and put a link there`]
      : []),
    `copy ${paths.database} to ${paths.backups}`,
  );
  if (request.rollback) {
    const { folder, to, restore, lost } = await rollbackOf(
      work,
      left,
      request.force,
    );
    plan.push(
      ...(restore === null
        ? []
        : [
            `put ${restore} back as the state${lost === 0 ? "" : `, losing ${lost} events`}`,
          ]),
      `have ${place.program} (${from}) lead to ${folder} (${to})`,
    );
  } else {
    await refuseUncommitted(tools, place.program);
    const target = await findTarget(tools, place.program, request.to, false);
    plan.push(
      target.kind === "tarball"
        ? `unpack ${target.file} in ${place.releases}, install its packages, build it`
        : `fetch, check out ${target.name} (now ${target.commit.slice(0, 9)}) in ${place.releases}, install its packages, build it`,
      "try its migration and its doctor on a copy of the state",
      "migrate the state",
      `have ${place.program} (${from}) lead to it`,
    );
  }
  plan.push("run its doctor", "switch maintenance off");
  return { command: "upgrade", actions: plan };
}

export async function rollbackOf(
  work: Upgrading,
  journal: UpgradeJournal | null,
  force: boolean,
): Promise<{
  folder: string;
  to: string;
  restore: string | null;
  lost: number;
}> {
  const { place, paths } = work;
  journal = lastGood(journal);
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
  const { before, after, backup, from } = journal;
  if (before === null || after === null || before.schema === after.schema)
    return { folder: journal.old, to: from, restore: null, lost: 0 };
  if (backup === null || !existsSync(backup))
    throw refused(
      `the state has another schema now (${after.schema}, then ${before.schema}), and its copy from before the ${journal.kind} is gone`,
      "name what to go to with --to",
    );
  const lost = (await state(
    work,
    journal,
    "since",
    String(after.lastEvent),
  )) as number;
  if (lost > 0 && !force)
    throw refused(
      `going back to ${from} takes the state of then: ${lost} events since ${journal.started_at} would be lost`,
      advice`--force does it nevertheless; ${remedy("fsck")} then tells what no longer fits together`,
    );
  return { folder: journal.old, to: from, restore: backup, lost };
}
