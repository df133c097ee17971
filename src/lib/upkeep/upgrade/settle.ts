import { existsSync } from "node:fs";

import {
  ExitCode,
  messageOf,
  notNow,
  refused,
  UbuntuCiError,
} from "../../domain/error.ts";
import type { Advice } from "../../domain/remedy.ts";
import { advice, remedy } from "../../domain/remedy.ts";
import { isUnfinished, readJournal, saveJournal } from "./journal.ts";
import {
  adopt,
  isPlainFolder,
  upgradeLogFile,
  removeOtherReleases,
} from "./place.ts";
import {
  askStateVersion,
  keepMaintenance,
  maintenanceOff,
  record,
  state,
} from "./programs.ts";
import { endLeftOver } from "./run-tool.ts";
import type { Change, Upgrading, UpgradeReport } from "./upgrading.ts";

/** Undoes a change that failed, and returns the error that says whether that worked. */
export async function undoAfter(
  change: Change,
  stage: string,
  thrown: unknown,
): Promise<UbuntuCiError> {
  const { journal, place } = change;
  const reason = change.signal.aborted
    ? "it was interrupted"
    : messageOf(thrown);
  const what = `the ${journal.kind} to ${journal.to} failed while ${stage}: ${reason}`;
  const log = `the log is ${upgradeLogFile(place)}`;
  let isOn: boolean;
  try {
    journal.why = `${stage}: ${reason}`;
    // The signal that interrupted the change must not interrupt this.
    const undoing = { ...change, signal: new AbortController().signal };
    isOn = await undo(undoing, () =>
      keepMaintenance(undoing, journal.why ?? ""),
    );
  } catch (second) {
    const copy =
      journal.before === null || journal.backup === null
        ? ""
        : `; the state as it was is ${journal.backup}`;
    return notNow(
      `${what}; going back failed too: ${messageOf(second)}`,
      advice`maintenance stays on; run ${remedy("upgrade")} again to go on going back${copy}; ${log}`,
      thrown,
    );
  }
  const known = thrown instanceof UbuntuCiError ? thrown : undefined;
  const hint: Advice = isOn
    ? advice`maintenance stays on: ${remedy("maintenance off")} ends it, ${remedy("upgrade")} tries again; ${log}`
    : log;
  return new UbuntuCiError(
    `${what}; ${journal.from} is in place again, with the state as it was`,
    {
      exitCode: known?.exitCode ?? ExitCode.notNow,
      hint: known?.hint === undefined ? hint : advice`${known.hint}; ${hint}`,
      cause: thrown,
    },
  );
}

/**
 * Puts the old program and its state back. Can be repeated from any point.
 *
 * @param settleMaintenance what becomes of maintenance then; its result is returned
 */
async function undo<T>(
  change: Change,
  settleMaintenance: () => Promise<T>,
): Promise<T> {
  const { place, say, journal } = change;
  const { before, backup, old } = journal;
  say(`going back to ${journal.from}`);
  await saveJournal(change);
  await endLeftOver(journal.id);
  if (!existsSync(old) && !isPlainFolder(place))
    throw notNow(`${old}, the folder of ${journal.from}, is gone`);
  await adopt(place, old);
  if (before !== null && backup !== null) {
    // A migration writes the schema's number last.
    if ((await askStateVersion(change)).schema !== before.schema)
      await state(change, "put-back", backup);
    await record(change, "upgrade-undone", journal.why);
  }
  if (backup !== null) await state(change, "drop", backup);
  await state(change, "tidy");
  await removeOtherReleases(place, [old, journal.former?.old]);
  const settled = await settleMaintenance();
  await saveJournal(change, { phase: "undone" });
  return settled;
}

/** Completes a change after the new program was found good. Can be repeated from any point. */
export async function finish(change: Change): Promise<void> {
  const { place, journal } = change;
  await removeOtherReleases(place, [journal.old, journal.next]);
  await record(
    change,
    journal.kind === "upgrade" ? "upgraded" : "rolled-back",
    journal.backup === null ? null : `the state before: ${journal.backup}`,
  );
  await state(change, "tidy");
  await maintenanceOff(change);
  const after = await askStateVersion(change);
  await saveJournal(change, { after, phase: "done" });
}

/** Completes or undoes a change that was killed. @returns the report when it was completed, else null */
export async function recover(work: Upgrading): Promise<UpgradeReport | null> {
  const { place, paths, say } = work;
  const journal = readJournal(place);
  if (journal === null || !isUnfinished(journal)) return null;
  if (journal.state !== paths.root)
    throw refused(
      `an interrupted ${journal.kind} of this program belongs to another state, ${journal.state}`,
      `run it again with --state-dir ${journal.state}`,
    );
  say(`an earlier ${journal.kind} to ${journal.to} was interrupted`);
  const change = { ...work, journal };
  if (journal.phase === "finishing") {
    await endLeftOver(journal.id);
    await finish(change);
    return reportOf(change, "finished");
  }
  journal.why ??= "it was killed";
  // What comes next switches it on again.
  await undo(change, () => maintenanceOff(change));
  return null;
}

/** Reports a successful change. */
export function reportOf(
  { journal }: Change,
  action: UpgradeReport["action"],
): UpgradeReport {
  const { from, to, before, after, backup, old } = journal;
  const schema =
    before === null || after === null
      ? null
      : { from: before.schema, to: after.schema };
  return { action, from, to, schema, backup, previous: old };
}
