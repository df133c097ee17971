import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import type { ExitCode } from "../../domain/error.ts";
import {
  ExitCode as exitCodes,
  messageOf,
  notNow,
  refused,
  UbuntuCiError,
} from "../../domain/error.ts";
import type { Place } from "./place.ts";
import { adopt, isPlainFolder } from "./place.ts";
import { endLeftOver } from "./run-tool.ts";
import { removeTree } from "../../session/remove-tree.ts";
import type { UpgradeJournal } from "./journal.ts";
import { writeJournal } from "./journal.ts";
import { maintenanceOff, record, state, askStateVersion } from "./programs.ts";
import type { Upgrading, UpgradeReport } from "./upgrading.ts";
import { upgradeLogFile } from "./upgrading.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** Undoes a change that failed, and tells what came of that. */
export async function undoAfter(
  work: Upgrading,
  journal: UpgradeJournal,
  stage: string,
  thrown: unknown,
): Promise<UbuntuCiError> {
  const calm: Upgrading = { ...work, signal: new AbortController().signal };
  const reason = work.signal.aborted ? "it was interrupted" : messageOf(thrown);
  const what = `the ${journal.kind} to ${journal.to} failed while ${stage}: ${reason}`;
  try {
    journal.why = `${stage}: ${reason}`;
    await undo(calm, journal);
  } catch (second) {
    return new UbuntuCiError(
      `${what}; going back failed too: ${messageOf(second)}`,
      {
        exitCode: exitCodes.notNow,
        hint: advice`maintenance stays on; run ${remedy("upgrade")} again to go on going back${journal.before === null || journal.backup === null ? "" : `; the state as it was is ${journal.backup}`}; the log is ${upgradeLogFile(work.place)}`,
        cause: thrown,
      },
    );
  }
  const exitCode: ExitCode =
    thrown instanceof UbuntuCiError ? thrown.exitCode : exitCodes.notNow;
  const hint = thrown instanceof UbuntuCiError ? thrown.hint : undefined;
  return new UbuntuCiError(
    `${what}; ${journal.from} runs on, with the state as it was`,
    {
      exitCode,
      hint: advice`${hint === undefined ? "" : advice`${hint}; `}the log is ${upgradeLogFile(work.place)}`,
      cause: thrown,
    },
  );
}

/** Puts the old program and its state back. Every part of it can be done twice. */
async function undo(work: Upgrading, journal: UpgradeJournal): Promise<void> {
  const { place, say } = work;
  say(`going back to ${journal.from}`);
  await writeJournal(place, journal);
  await endLeftOver(journal.id);
  if (!existsSync(journal.old) && !isPlainFolder(place))
    throw notNow(`${journal.old}, the folder of ${journal.from}, is gone`);
  await adopt(place, journal.old);
  const { before, backup } = journal;
  if (before !== null && backup !== null) {
    // The schema is the last thing that a migration writes.
    if ((await askStateVersion(work, journal)).schema !== before.schema)
      await state(work, journal, "put-back", backup);
    await record(work, journal, "upgrade-undone", journal.why);
  }
  if (backup !== null) await state(work, journal, "drop", backup);
  await state(work, journal, "tidy");
  await removeOtherReleases(place, [journal.old, journal.former?.old]);
  await maintenanceOff(work, journal);
  journal.phase = "undone";
  await writeJournal(place, journal);
}

/** What is left when the new program is known to be good. Every part of it can be done twice. */
export async function finish(
  work: Upgrading,
  journal: UpgradeJournal,
): Promise<void> {
  const { place } = work;
  await removeOtherReleases(place, [journal.old, journal.next]);
  await record(
    work,
    journal,
    journal.kind === "upgrade" ? "upgraded" : "rolled-back",
    journal.backup === null ? null : `the state before: ${journal.backup}`,
  );
  await state(work, journal, "tidy");
  await maintenanceOff(work, journal);
  journal.after = await askStateVersion(work, journal);
  journal.phase = "done";
  await writeJournal(place, journal);
}

/** Only what an upgrade made is an upgrade's to remove. */
async function removeOtherReleases(
  { releases }: Place,
  kept: readonly (string | undefined)[],
): Promise<void> {
  for (const name of await readdir(releases)) {
    const release = join(releases, name);
    if (/^\d{4}-\d\d-\d\dT/.test(name) && !kept.includes(release))
      await removeTree(release);
  }
}

/** Finishes or undoes what a killed upgrade began. The report when it was finished, null when undone. */
export async function recover(
  work: Upgrading,
  journal: UpgradeJournal,
): Promise<UpgradeReport | null> {
  const { paths, say } = work;
  if (journal.state !== paths.root)
    throw refused(
      `an interrupted ${journal.kind} of this program belongs to another state, ${journal.state}`,
      `run it again with --state-dir ${journal.state}`,
    );
  say(`an earlier ${journal.kind} to ${journal.to} was interrupted`);
  if (journal.phase === "finishing") {
    await endLeftOver(journal.id);
    await finish(work, journal);
    return reportOf(journal, "finished");
  }
  journal.why ??= "it was killed";
  await undo(work, journal);
  return null;
}

/** What a change that succeeded comes to. */
export function reportOf(
  journal: UpgradeJournal,
  action: UpgradeReport["action"],
): UpgradeReport {
  const { from, to, before, after, backup } = journal;
  return {
    action,
    from,
    to,
    schema:
      before === null || after === null
        ? null
        : { from: before.schema, to: after.schema },
    backup,
    previous: journal.old,
  };
}
