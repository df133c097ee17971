import { messageOf } from "../domain/error.ts";
import { now } from "../host/clock.ts";
import { warnPerson } from "../host/cron-mail.ts";
import type { HeldBack } from "../locks/held-back.ts";
import type { Maintenance } from "../locks/maintenance.ts";
import {
  maintenanceInWords,
  maintenanceRefusal,
  readMaintenance,
} from "../locks/maintenance.ts";
import type { StatePaths } from "../host/paths.ts";
import { mayBeInMaintenance } from "../locks/toggle.ts";

/**
 * Refuses a changing command while maintenance.txt is there, and logs each refused command once. The
 * first command that runs again records the end of maintenance.
 *
 * @throws UbuntuCiError (75) in maintenance
 */
export async function stopInMaintenance(
  paths: StatePaths,
  actor: string,
  command: string,
): Promise<void> {
  if (!mayBeInMaintenance(paths)) return;
  const maintenance = readMaintenance(paths.maintenance);
  if (maintenance !== null) {
    await tellHeldBack(paths, actor, command, maintenance);
    throw maintenanceRefusal(maintenance);
  }
  await recordEnd(paths, actor);
}

async function tellHeldBack(
  paths: StatePaths,
  actor: string,
  command: string,
  maintenance: Maintenance,
): Promise<void> {
  const { noteHeldBack } = await import("../locks/held-back.ts");
  try {
    const { first, noticed } = await noteHeldBack(paths, maintenance, command);
    const words = maintenanceInWords(maintenance);
    const lines = [];
    if (noticed)
      lines.push({ what: "noticed", why: `maintenance.txt: ${words}` });
    if (first)
      lines.push({
        what: "held back",
        why: `${command}: maintenance is ${words}`,
      });
    if (lines.length > 0)
      await logAside(paths, actor, "maintenance", "toggle", lines);
  } catch (thrown) {
    // The refusal stands; only the log entry is missing.
    warnPerson(`warning: the log was not written: ${messageOf(thrown)}`);
  }
}

/** Writes log lines that are not events, because the state may not be written now. */
export async function logAside(
  paths: StatePaths,
  actor: string,
  subject: "maintenance" | "lock",
  subject_id: string,
  lines: readonly { readonly what: string; readonly why: string }[],
): Promise<void> {
  const { appendLog, stateLogFile, logLine } =
    await import("../host/log-file.ts");
  appendLog(
    stateLogFile(paths.log),
    lines.map(({ what, why }) =>
      logLine({
        at: now(),
        id: null,
        actor,
        subject,
        subject_id,
        ticket: null,
        step: null,
        run: null,
        what,
        from: null,
        to: null,
        why,
      }),
    ),
  );
}

/** Records who switched maintenance on and why. Commands refused later need not do so. */
export async function recordBegin(
  paths: StatePaths,
  actor: string,
  maintenance: Maintenance,
): Promise<void> {
  const { noteMaintenance } = await import("../locks/held-back.ts");
  const { openCurrentDatabase } = await import("../state/database.ts");
  const { recordEvent } = await import("../state/events.ts");
  const db = openCurrentDatabase(paths.database);
  if (db === undefined) return;
  recordEvent(db, {
    actor,
    subject: "maintenance",
    subject_id: "toggle",
    what: "on",
    from_state: "off",
    to_state: "on",
    why: maintenance.reason,
  });
  db.close();
  await noteMaintenance(paths, maintenance);
}

/** Records the beginning and end of a maintenance that was switched off, here or by deleting the file. */
export async function recordEnd(
  paths: StatePaths,
  actor: string,
): Promise<void> {
  const { endHeldBack, heldBackInWords } =
    await import("../locks/held-back.ts");
  const { openCurrentDatabase } = await import("../state/database.ts");
  const { recordEvent } = await import("../state/events.ts");
  const db = openCurrentDatabase(paths.database);
  // There is no state yet, or one of another version: a later command records it.
  if (db === undefined) return;
  await endHeldBack(paths, (ended: HeldBack) => {
    const event = {
      actor,
      subject: "maintenance",
      subject_id: "toggle",
    } as const;
    db.transaction(() => {
      if (!ended.recorded)
        recordEvent(db, {
          ...event,
          what: "on",
          from_state: "off",
          to_state: "on",
          why: `maintenance.txt was made by hand: it was ${maintenanceInWords(ended.maintenance)}`,
        });
      const held = heldBackInWords(ended);
      recordEvent(db, {
        ...event,
        what: "off",
        from_state: "on",
        to_state: "off",
        why: `it was ${maintenanceInWords(ended.maintenance)}${held === "" ? "" : `; held back: ${held}`}`,
      });
    }).immediate();
  });
  db.close();
}
