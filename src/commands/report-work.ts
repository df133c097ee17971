import { writeReport } from "../lib/report/write-report.ts";
import { execOk } from "../lib/host/exec.ts";
import { now } from "../lib/host/clock.ts";
import { heldLocks } from "../lib/host/lock.ts";
import { readHeldBack } from "../lib/host/held-back.ts";
import { oldLock } from "../lib/host/lock-holder.ts";
import type { Maintenance } from "../lib/host/maintenance.ts";
import {
  forgottenMaintenance,
  maintenanceRefusal,
  readMaintenance,
} from "../lib/host/maintenance.ts";
import type { Connection } from "../lib/state/database.ts";
import { openCurrentDatabase, openDatabase } from "../lib/state/database.ts";
import { recordOldLock } from "../lib/state/old-locks.ts";
import { listPpas } from "../lib/state/ppas.ts";
import { listTickets } from "../lib/state/tickets.ts";
import { expectedOf } from "../lib/tickets/expected-of.ts";
import type { CommandContext } from "./context.ts";

/** Writes the static site from the state as it is now. */
export async function writeStateReport(
  { paths, config, actor, backends }: CommandContext,
  output: string,
) {
  const maintenance = readMaintenance(paths.maintenance);
  // Reading works in maintenance; making or migrating the state by the way does not.
  const db = openForReport(paths.database, maintenance);
  const archive = await backends().archive();
  // Our own lock would make every report differ from the one before.
  const locks = heldLocks(paths.run).filter(({ pid }) => pid !== process.pid);
  const limit = config.get("lock.warnAfterMinutes");
  const forgotten = forgottenMaintenance(
    maintenance,
    config.get("maintenance.warnAfterMinutes"),
  );
  const warnings = forgotten === null ? [] : [forgotten];
  for (const lock of locks) {
    const warning = oldLock(lock, limit);
    if (warning === null) continue;
    warnings.push(warning);
    if (maintenance === null) recordOldLock(db, actor, lock, warning);
  }
  // Of tickets that have ended nothing is asked, and their pages stay what they are.
  const expected = expectedOf({ db, paths, config, actor });
  const tickets = listTickets(db, {}, paths.store).map((ticket) =>
    ticket.step.code < 999
      ? { ...ticket, expected: expected.get(ticket.id) ?? null }
      : ticket,
  );
  const held = maintenance === null ? null : readHeldBack(paths.run);
  return writeReport(
    {
      title: config.get("report.title"),
      generated_at: now(),
      tickets,
      revisions: (await archive.revisions()).map(
        ({ publications, ...revision }) => ({
          ...revision,
          sources: Object.entries(publications).flatMap(([series, of]) =>
            of
              .filter(({ kind }) => kind === "source")
              .map(({ name, version }) => ({ source: name, version, series })),
          ),
        }),
      ),
      ppas: listPpas(db),
      locks,
      maintenance,
      held_back: Object.entries(held?.commands ?? {}).map(
        ([name, { first, last, times }]) => ({ name, first, last, times }),
      ),
      warnings,
      signatures_optional: config.get("admission.signatures") === "optional",
    },
    output,
  );
}

function openForReport(
  file: string,
  maintenance: Maintenance | null,
): Connection {
  if (maintenance === null) return openDatabase(file);
  const db = openCurrentDatabase(file);
  if (db === undefined) throw maintenanceRefusal(maintenance);
  return db;
}

/** Sends the report to a web host. The trailing slash copies the contents, not the folder. */
export async function sendReport(
  output: string,
  target: string,
): Promise<void> {
  await execOk(["rsync", "--archive", "--delete", "--", `${output}/`, target]);
}
