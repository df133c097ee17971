/**
 * Everything that an upgrade needs is loaded before the link is switched, and nothing afterwards: the
 * paths that the code was loaded from may then hold another release, or nothing.
 */
import { existsSync, realpathSync, statSync } from "node:fs";
import { access, constants, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import {
  messageOf,
  misconfigured,
  notNow,
  refused,
} from "../../domain/error.ts";
import { advice, remedy } from "../../domain/remedy.ts";
import { now } from "../../host/clock.ts";
import { refuseLostState } from "../../locks/state-folder.ts";
import { withLock } from "../../locks/lock.ts";
import {
  maintenanceRefusal,
  readMaintenance,
} from "../../locks/maintenance.ts";
import { waitUntilIdle } from "../../locks/wait-until-idle.ts";
import type { StateVersion } from "../../state/copies.ts";
import type { UpgradeJournal } from "./journal.ts";
import { journalFile, lastGood, readJournal, saveJournal } from "./journal.ts";
import type { Place } from "./place.ts";
import {
  adopt,
  giveToOwner,
  isPlainFolder,
  upgradeLogFile,
  makeProgramFolder,
  putInPlace,
} from "./place.ts";
import type { UpgradePlan } from "./plan.ts";
import { planUpgrade } from "./plan.ts";
import {
  isOf,
  maintenanceOn,
  migrate,
  problemsFound,
  refuseNewProblems,
  state,
  askStateVersion,
} from "./programs.ts";
import { finish, recover, reportOf, undoAfter } from "./settle.ts";
import { buildCode, installPackages, stageCode } from "./stage.ts";
import { versionOf } from "./target.ts";
import type {
  Change,
  UpgradeReport,
  UpgradeRequest,
  Upgrading,
} from "./upgrading.ts";

/**
 * Replaces the program by a newer version, or with `rollback` by the previous one. After any failure the
 * old program is in place, with its state as before, and maintenance stays on. When it is
 * killed at any instant, the next upgrade first completes or undoes it.
 *
 * @throws UbuntuCiError (2, 78) when it is refused before anything is changed, (75) when it failed
 */
export async function upgrade(
  work: Upgrading,
  request: UpgradeRequest,
): Promise<UpgradeReport> {
  const { place, paths, say } = work;
  refuseLostState(paths);
  if (!existsSync(paths.database))
    throw refused(
      `there is no state in ${paths.root}`,
      "name its folder with --state-dir; a program without a state needs no upgrade: git pull, npm ci, npm run build",
    );
  await refuseUnwritable(place);
  if (!existsSync(place.releases))
    await makeProgramFolder(place, place.releases);
  try {
    return await withLock(
      place.releases,
      "upgrade",
      (dead) =>
        say(`process ${dead?.pid ?? "?"}, which was upgrading, is gone`),
      () => upgradeAlone(work, request),
    );
  } finally {
    const lock = join(place.releases, "upgrade.pid");
    for (const file of [journalFile(place), upgradeLogFile(place), lock])
      await giveToOwner(place, file).catch(() => undefined); // it does not exist
  }
}

/** @throws UbuntuCiError (78) when the program cannot be replaced where it is */
async function refuseUnwritable(place: Place): Promise<void> {
  const { program, owner } = place;
  const folder = dirname(program);
  await access(folder, constants.W_OK | constants.X_OK).catch(() => {
    throw misconfigured(
      `${folder} cannot be written: an upgrade makes folders and a link there`,
      `run it as root (or as ${owner.name} in a folder of theirs): the program's files stay ${owner.name}'s, the state its owner's`,
    );
  });
  if (isPlainFolder(place) && statSync(program).dev !== statSync(folder).dev)
    throw misconfigured(
      `${program} is a mount point: it cannot be renamed`,
      "mount its parent instead, or make it a link to a folder",
    );
}

async function upgradeAlone(
  work: Upgrading,
  request: UpgradeRequest,
): Promise<UpgradeReport> {
  const { place, paths, say } = work;
  const finished = await recover(work);
  if (finished !== null) return finished;
  // An upgrade switches maintenance on itself, and one that failed has left it on. Maintenance for
  // another reason has to end first.
  const maintenance = readMaintenance(paths.maintenance);
  const last = readJournal(place);
  if (maintenance !== null && (last === null || !isOf(last, maintenance)))
    throw maintenanceRefusal(maintenance);
  if (request.rollback !== true) say("looking for the new code");
  const plan = await planUpgrade(work, request, true);
  const { from, goal } = plan;
  if (goal.kind === "commit" && goal.commit === from.commit) {
    say(`${from.name} is ${goal.name} already`);
    return {
      action: "nothing to do",
      from: from.name,
      to: from.name,
      schema: null,
      backup: null,
      previous: null,
    };
  }
  const started = now();
  const id = started.replaceAll(/[:.]/g, "-");
  const journal: UpgradeJournal = {
    format: 1,
    id,
    kind: goal.kind === "rollback" ? "rollback" : "upgrade",
    phase: "changing",
    state: paths.root,
    started_at: started,
    from: from.name,
    to: goal.name,
    old: isPlainFolder(place)
      ? join(place.releases, `${id}-before`)
      : realpathSync(place.program),
    next: goal.kind === "rollback" ? goal.folder : join(place.releases, id),
    backup: null,
    before: null,
    after: null,
    why: null,
    former: lastGood(readJournal(place)),
  };
  return perform({ ...work, journal }, plan, request.wait);
}

async function perform(
  change: Change,
  { goal }: UpgradePlan,
  waitMinutes: number,
): Promise<UpgradeReport> {
  const { place, paths, journal, signal, say } = change;
  const { next } = journal;
  let stage = "switching maintenance on";
  const begin = (name: string) => {
    signal.throwIfAborted();
    stage = name;
    say(name);
  };
  try {
    await rm(upgradeLogFile(place), { force: true });
    await saveJournal(change);
    begin(stage);
    await maintenanceOn(change);
    if (isPlainFolder(place)) {
      begin(`moving ${place.program} to ${journal.old}`);
      await adopt(place, journal.old);
    }
    if (goal.kind !== "rollback") {
      begin(`getting the code of ${goal.name}`);
      await makeProgramFolder(place, next);
      await stageCode(change, goal, next);
      journal.to = (await versionOf(change, next)).name;
      begin(`installing the packages of ${journal.to}`);
      if (await installPackages(change, next))
        say("the packages are the same as before");
      begin(`building ${journal.to}`);
      await buildCode(change, next);
    }
    begin("waiting for what runs");
    await waitUntilIdle(paths.run, {
      signal,
      limitMs: waitMinutes * 60_000,
      waiting: (who) => say(`waiting for ${who}`),
    });
    begin("copying the state");
    const time = now().replaceAll(/[:.]/g, "-");
    const backup = join(paths.backups, `before-${journal.kind}-${time}.sqlite`);
    await saveJournal(change, { backup });
    const before = (await state(change, "copy", backup)) as StateVersion;
    await saveJournal(change, { before });

    begin(`trying ${journal.to} on a copy of the state`);
    const restore = goal.kind === "rollback" ? goal.restore : null;
    const { folder: trial } = (await state(
      change,
      "trial",
      restore ?? backup,
    )) as { folder: string };
    await migrate(change, next, trial);
    const known = await problemsFound(change, place.program, paths.root);
    await refuseNewProblems(change, next, trial, known);
    await state(change, "tidy");

    begin("migrating the state");
    if (restore !== null) await state(change, "put-back", restore);
    await migrate(change, next, paths.root);
    await saveJournal(change, { after: await askStateVersion(change) });
    begin("swapping the programs");
    await putInPlace(place, next);
    begin(`checking ${journal.to} in its place`);
    await refuseNewProblems(change, place.program, paths.root, known);
    await saveJournal(change, { phase: "finishing" });
  } catch (thrown) {
    throw await undoAfter(change, stage, thrown);
  }
  try {
    await finish(change);
  } catch (thrown) {
    throw notNow(
      `${journal.to} runs now, but tidying up after the ${journal.kind} failed: ${messageOf(thrown)}`,
      advice`maintenance may be on still; run ${remedy("upgrade")} again to finish`,
      thrown,
    );
  }
  return reportOf(
    change,
    journal.kind === "upgrade" ? "upgraded" : "rolled back",
  );
}
