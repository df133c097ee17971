/**
 * Everything this folder needs is loaded before the link is led elsewhere, and nothing is loaded later:
 * the paths of a plain folder then hold the new program's files, and a release may have been removed.
 */
import { existsSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { chown, lchown, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import {
  messageOf,
  misconfigured,
  notNow,
  refused,
} from "../../domain/error.ts";
import { now } from "../../host/clock.ts";
import { withLock } from "../../locks/lock.ts";
import {
  maintenanceRefusal,
  readMaintenance,
} from "../../locks/maintenance.ts";
import type { StatePaths } from "../../host/paths.ts";
import { adopt, isPlainFolder, putInPlace } from "./place.ts";
import { waitUntilIdle } from "../../locks/wait-until-idle.ts";
import type { Target } from "./target.ts";
import {
  buildCode,
  installPackages,
  refuseUnwritable,
  stageCode,
} from "./stage.ts";
import { findTarget, refuseUncommitted, versionOf } from "./target.ts";
import type { StateVersion } from "../../state/copies.ts";
import type { UpgradeJournal } from "./journal.ts";
import {
  isUnfinished,
  journalFile,
  lastGood,
  readJournal,
  writeJournal,
} from "./journal.ts";
import { rollbackOf } from "./plan.ts";
import {
  failings,
  maintenanceOn,
  migrate,
  refuseNewFailings,
  state,
  askStateVersion,
} from "./programs.ts";
import { finish, recover, reportOf, undoAfter } from "./settle.ts";
import type { UpgradeReport, UpgradeRequest, Upgrading } from "./upgrading.ts";
import { upgradeLogFile, nameOf, rootFor, toolsOf } from "./upgrading.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/**
 * Changes the program for a newer one, or with `rollback` for the previous one. Whatever fails
 * leaves the old program running with its state as before, or, where even that fails, maintenance
 * on; the message says which. Killed at any instant and run again, it finishes or undoes first.
 *
 * @throws UbuntuCiError (2, 78) when it is refused before anything is changed, (75) when it failed
 */
export async function upgrade(
  work: Upgrading,
  request: UpgradeRequest,
): Promise<UpgradeReport> {
  const { place, paths, say } = work;
  if (!existsSync(paths.database))
    throw refused(
      `there is no state in ${paths.root}`,
      "name its folder with --state-dir; a program without a state needs no upgrade: git pull, npm ci, npm run build",
    );
  const { owner } = place;
  await refuseUnwritable(dirname(place.program), owner.name);
  if (
    isPlainFolder(place) &&
    statSync(place.program).dev !== statSync(dirname(place.program)).dev
  )
    throw misconfigured(
      `${place.program} is a mount point: it cannot be renamed`,
      "mount its parent instead, or make it a link to a folder",
    );
  const left = readJournal(place);
  if (left === null || !isUnfinished(left)) refuseInMaintenance(paths);
  if (!existsSync(place.releases)) {
    mkdirSync(place.releases, { mode: 0o755 });
    if (rootFor(owner) !== null)
      await chown(place.releases, owner.uid, owner.gid);
  }
  try {
    return await withLock(
      place.releases,
      "upgrade",
      (dead) =>
        say(`process ${dead?.pid ?? "?"}, which was upgrading, is gone`),
      () => upgradeAlone(work, request),
    );
  } finally {
    // What root wrote must not stand in the owner's way the next time.
    if (rootFor(owner) !== null)
      for (const file of [
        journalFile(place),
        upgradeLogFile(place),
        join(place.releases, "upgrade.pid"),
      ])
        await lchown(file, owner.uid, owner.gid).catch(
          () => undefined, // was not written
        );
  }
}

/** An upgrade switches maintenance on itself; what others have switched on for is not done yet. */
function refuseInMaintenance(paths: StatePaths): void {
  const found = readMaintenance(paths.maintenance);
  if (found === null) return;
  throw maintenanceRefusal(found);
}

async function upgradeAlone(
  work: Upgrading,
  request: UpgradeRequest,
): Promise<UpgradeReport> {
  const { place, say } = work;
  const left = readJournal(place);
  if (left !== null && isUnfinished(left)) {
    const finished = await recover(work, left);
    if (finished !== null) return finished;
  }
  refuseInMaintenance(work.paths);
  const tools = toolsOf(work, null);
  await refuseUncommitted(tools, place.program);
  const version = await versionOf(tools, place.program);
  const from = nameOf(version);
  let back: Awaited<ReturnType<typeof rollbackOf>> | null = null;
  let target: Target | null = null;
  const former = lastGood(readJournal(place));
  if (request.rollback) back = await rollbackOf(work, former, request.force);
  else {
    say("looking for the new code");
    target = await findTarget(tools, place.program, request.to, true);
    if (target.kind === "commit" && target.commit === version.commit) {
      say(`${from} is ${target.name} already`);
      return {
        action: "nothing to do",
        from,
        to: from,
        schema: null,
        backup: null,
        previous: null,
      };
    }
  }
  const started = now();
  const id = started.replaceAll(/[:.]/g, "-");
  const journal: UpgradeJournal = {
    format: 1,
    id,
    kind: request.rollback ? "rollback" : "upgrade",
    phase: "changing",
    state: work.paths.root,
    started_at: started,
    from,
    to: back?.to ?? target?.name ?? "",
    old: isPlainFolder(place)
      ? join(place.releases, `${id}-before`)
      : realpathSync(place.program),
    next: back?.folder ?? join(place.releases, id),
    backup: null,
    before: null,
    after: null,
    why: null,
    former,
  };
  return change(work, journal, {
    target,
    restore: back?.restore ?? null,
    waitMinutes: request.waitMinutes,
  });
}

interface Change {
  readonly target: Target | null;
  /** Copy of the state that is put back for the program that follows. */
  readonly restore: string | null;
  readonly waitMinutes: number;
}

async function change(
  work: Upgrading,
  journal: UpgradeJournal,
  { target, restore, waitMinutes }: Change,
): Promise<UpgradeReport> {
  const { place, paths, say } = work;
  const { next } = journal;
  let stage = "switching maintenance on";
  const begin = (name: string) => {
    work.signal.throwIfAborted();
    stage = name;
    say(name);
  };
  try {
    const tools = toolsOf(work, journal.id);
    await rm(upgradeLogFile(place), { force: true });
    await writeJournal(place, journal);
    begin(stage);
    await maintenanceOn(work, journal);
    if (isPlainFolder(place)) {
      begin(`moving ${place.program} to ${journal.old}`);
      await adopt(place, journal.old);
    }
    if (target !== null) {
      begin(`getting the code of ${target.name}`);
      await mkdir(next, { mode: 0o755 });
      const owner = rootFor(place.owner);
      if (owner !== null) await chown(next, owner.uid, owner.gid);
      await stageCode(tools, place.program, target, next);
      journal.to = nameOf(await versionOf(tools, next));
      begin(`installing the packages of ${journal.to}`);
      if (await installPackages(tools, place.program, next))
        say("the packages are the same as before");
      begin(`building ${journal.to}`);
      await buildCode(tools, next);
    }
    begin("waiting for what runs");
    await waitUntilIdle(paths.run, {
      signal: work.signal,
      limitMs: waitMinutes * 60_000,
      waiting: (who) => say(`waiting for ${who}`),
    });
    begin("copying the state");
    const copy = join(
      paths.backups,
      `before-${journal.kind}-${now().replaceAll(/[:.]/g, "-")}.sqlite`,
    );
    journal.backup = copy;
    await writeJournal(place, journal);
    journal.before = (await state(work, journal, "copy", copy)) as StateVersion;
    await writeJournal(place, journal);
    begin(`trying ${journal.to} on a copy of the state`);
    const { folder: trial } = (await state(
      work,
      journal,
      "trial",
      restore ?? copy,
    )) as { folder: string };
    await migrate(work, journal, next, trial);
    const ailing = await failings(work, journal, place.program, paths.root);
    await refuseNewFailings(work, journal, next, trial, ailing);
    await state(work, journal, "tidy");

    begin("migrating the state");
    if (restore !== null) await state(work, journal, "put-back", restore);
    await migrate(work, journal, next, paths.root);
    journal.after = await askStateVersion(work, journal);
    await writeJournal(place, journal);
    begin("swapping the programs");
    await putInPlace(place, next);
    begin(`checking ${journal.to} in its place`);
    await refuseNewFailings(work, journal, place.program, paths.root, ailing);
    journal.phase = "finishing";
    await writeJournal(place, journal);
  } catch (thrown) {
    throw await undoAfter(work, journal, stage, thrown);
  }
  try {
    await finish(work, journal);
  } catch (thrown) {
    throw notNow(
      `${journal.to} runs now, but tidying up after the ${journal.kind} failed: ${messageOf(thrown)}`,
      advice`maintenance may be on still; run ${remedy("upgrade")} again to finish`,
      thrown,
    );
  }
  return reportOf(
    journal,
    journal.kind === "upgrade" ? "upgraded" : "rolled back",
  );
}
