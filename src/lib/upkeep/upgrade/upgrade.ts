/**
 * Everything this folder needs is loaded before the program is swapped, and nothing is loaded later:
 * the paths of this process's own files then hold the new program's.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, statSync } from "node:fs";
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
import { folderId, folderInPlace, putInPlace } from "./place.ts";
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
  isOpen,
  journalFile,
  lastGood,
  readJournal,
  stagingFolder,
  writeJournal,
} from "./journal.ts";
import { rollbackOf } from "./plan.ts";
import {
  failings,
  maintenanceOn,
  migrate,
  refuseNewFailings,
  state,
  stateVersion,
} from "./programs.ts";
import { finish, recover, reportOf, undoAfter } from "./settle.ts";
import type { UpgradeReport, UpgradeRequest, Upgrading } from "./upgrading.ts";
import { logFile, nameOf, ownerOf, rootFor, toolsOf } from "./upgrading.ts";
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
  const owner = ownerOf(folderInPlace(place));
  await refuseUnwritable(
    [dirname(place.program), dirname(folderInPlace(place))],
    owner.name,
  );
  if (
    !place.isLink &&
    statSync(place.program, { throwIfNoEntry: false })?.dev !==
      statSync(dirname(place.program)).dev &&
    existsSync(place.program)
  )
    throw misconfigured(
      `${place.program} is a mount point: it cannot be renamed`,
      "mount its parent instead, or make it a link to a folder",
    );
  const left = readJournal(place);
  if (left === null || !isOpen(left)) refuseInMaintenance(paths);
  if (!existsSync(place.work)) {
    mkdirSync(place.work, { mode: 0o755 });
    if (rootFor(owner) !== null) await chown(place.work, owner.uid, owner.gid);
  }
  try {
    return await withLock(
      place.work,
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
        logFile(place),
        join(place.work, "upgrade.pid"),
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
  if (left !== null && isOpen(left)) {
    const finished = await recover(work, left);
    if (finished !== null) return finished;
  }
  refuseInMaintenance(work.paths);
  const tools = toolsOf(work, null);
  const folder = folderInPlace(place);
  await refuseUncommitted(tools, folder);
  const version = await versionOf(tools, folder);
  const from = nameOf(version);
  const former = readJournal(place);
  const journal: UpgradeJournal = {
    format: 1,
    id: randomBytes(8).toString("hex"),
    kind: request.rollback ? "rollback" : "upgrade",
    phase: "preparing",
    state: work.paths.root,
    started_at: now(),
    from,
    to: request.to ?? "the newest",
    old_folder: folderId(folder) ?? "",
    old_path: folder,
    new_folder: null,
    new_path: null,
    backup: null,
    before: null,
    after: null,
    why: null,
    former: former === null ? null : lastGood(former),
  };
  let restore: string | null = null;
  let target: Target | null = null;
  if (request.rollback) {
    const found = await rollbackOf(work, former, request.force);
    restore = found.restore;
    journal.to = found.to;
    journal.new_path = found.folder;
    journal.new_folder = folderId(found.folder) ?? null;
  } else {
    say("looking for the new code");
    target = await findTarget(tools, folder, request.to, true);
    journal.to = target.name;
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
  return change(work, journal, {
    target,
    restore,
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
  let stage = "switching maintenance on";
  const begin = (name: string) => {
    work.signal.throwIfAborted();
    stage = name;
    say(name);
  };
  try {
    const tools = toolsOf(work, journal.id);
    await rm(logFile(place), { force: true });
    await writeJournal(place, journal);
    begin(stage);
    await maintenanceOn(work, journal);
    if (target !== null) {
      begin(`getting the code of ${target.name}`);
      const folder = await makeStagingFolder(work, journal);
      await stageCode(tools, folderInPlace(place), target, folder);
      journal.to = nameOf(await versionOf(tools, folder));
      begin(`installing the packages of ${journal.to}`);
      if (await installPackages(tools, folderInPlace(place), folder))
        say("the packages are the same as before");
      begin(`building ${journal.to}`);
      await buildCode(tools, folder);
    }
    const next = journal.new_path ?? "";
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
    const ailing = await failings(
      work,
      journal,
      folderInPlace(place),
      paths.root,
    );
    await refuseNewFailings(work, journal, next, trial, ailing);
    await state(work, journal, "tidy");

    begin("migrating the state");
    journal.phase = "changing";
    await writeJournal(place, journal);
    if (restore !== null) await state(work, journal, "put-back", restore);
    await migrate(work, journal, next, paths.root);
    journal.after = await stateVersion(work, journal);
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
    place,
    journal,
    journal.kind === "upgrade" ? "upgraded" : "rolled back",
  );
}

async function makeStagingFolder(
  work: Upgrading,
  journal: UpgradeJournal,
): Promise<string> {
  const { place } = work;
  const folder = stagingFolder(place, journal);
  await mkdir(folder, { mode: 0o755 });
  const owner = ownerOf(folderInPlace(place));
  if (rootFor(owner) !== null) await chown(folder, owner.uid, owner.gid);
  journal.new_path = folder;
  journal.new_folder = folderId(folder) ?? null;
  await writeJournal(place, journal);
  return folder;
}
