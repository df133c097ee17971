import { join } from "node:path";

import type { LocalStore } from "../backends/store/store.ts";
import { writePublicFile } from "../files/public-files.ts";
import { crashPoint } from "../files/crash-point.ts";
import { adviceText } from "../host/command-line.ts";
import { execOk } from "../host/exec.ts";
import { oldLock } from "../locks/lock-holder.ts";
import { heldLocks } from "../locks/lock.ts";
import type { Maintenance } from "../locks/maintenance.ts";
import {
  forgottenMaintenance,
  maintenanceRefusal,
  readMaintenance,
} from "../locks/maintenance.ts";
import {
  madeFromFile,
  madeFromText,
  readMadeFrom,
} from "../report/made-from.ts";
import { DamagedList, Site } from "../report/site.ts";
import { writeReport } from "../report/write-report.ts";
import type { Connection } from "../state/database.ts";
import { openCurrentDatabase, openDatabase } from "../state/database.ts";
import { recordOldLock } from "../state/old-locks.ts";
import { changedTickets, whatHappened } from "../state/report-rows.ts";
import type { StepBackends } from "../steps/step-definition.ts";
import { landingSource } from "../tickets/landing-source.ts";
import { sendingTrouble } from "./send-report.ts";
import { ticketSources } from "./ticket-sources.ts";
import { reportData } from "./report-data.ts";
import type { Installation } from "./report-up-to-date.ts";
import { basisOf } from "./report-up-to-date.ts";

/** How many revisions the page of landings shows, so that a report costs the same after years. */
const revisionsShown = 100;

/** What is needed to make a report. */
interface Reporting extends Installation {
  readonly actor: string;
  readonly backends: () => Pick<StepBackends, "archive" | "pool">;
  readonly store: () => Promise<LocalStore>;
}

/**
 * Writes the static site from the current state. Pages of single tickets and packages are only rewritten
 * if something happened to them since the last report in that folder, or if the basis has changed.
 *
 * @param all rewrite every page
 */
export async function writeStateReport(
  reporting: Reporting,
  output: string,
  all: boolean,
  signal: AbortSignal,
): Promise<Site> {
  const { paths, config, actor } = reporting;
  const maintenance = readMaintenance(paths.maintenance);
  // Reading is allowed in maintenance; creating or migrating the state is not.
  const db = openForReport(paths.database, maintenance);
  const basis = basisOf(reporting);
  // Read before anything else, so that later events belong to the next report.
  const { event, at } = whatHappened(db);
  const archive = await reporting.backends().archive();
  const store = await reporting.store();
  // This command's own lock is omitted: it would make every report differ from the last.
  const locks = heldLocks(paths.run).filter(({ pid }) => pid !== process.pid);
  const limit = config.get("lock.warnAfterMinutes");
  const forgotten = forgottenMaintenance(
    maintenance,
    config.get("maintenance.warnAfterMinutes"),
  );
  const unsent = sendingTrouble(paths, config.get("report.rsyncTarget"));
  const warnings = [
    ...(forgotten === null ? [] : [adviceText(forgotten)]),
    ...(unsent === null ? [] : [unsent]),
  ];
  for (const lock of locks) {
    const warning = oldLock(lock, limit);
    if (warning === null) continue;
    warnings.push(warning);
    if (maintenance === null) recordOldLock(db, actor, lock, warning);
  }
  const state = { db, paths, config, actor, store: reporting.store };
  const source = await landingSource(state);
  const revisions = await archive.revisions({ newest: revisionsShown });
  const before = readMadeFrom(output);
  const changed =
    before?.basis === basis && !all ? changedTickets(db, before.event) : null;
  const write = async (tickets: readonly number[] | null): Promise<Site> => {
    const site = new Site(output, tickets === null);
    const { input, pages } = reportData(
      state,
      source,
      {
        ...{ locks, maintenance, warnings, revisions, newestEvent: at },
        since: tickets === null ? null : (before?.event ?? null),
      },
      tickets,
    );
    await writeReport(
      site,
      input,
      pages,
      ticketSources(state, reporting.backends(), (at) => store.pathOf(at)),
      signal,
    );
    crashPoint("report.pages-written");
    const calm =
      input.open.length === 0 && maintenance === null && locks.length === 0;
    const made = madeFromText({ basis, event, calm });
    site.announce(madeFromFile, made);
    await site.finish((text) => archive.sign(text));
    // The next report relies on what this file says to be there.
    await execOk(["sync", "--file-system", output]);
    await writePublicFile(join(output, madeFromFile), made);
    return site;
  };
  try {
    return await write(changed);
  } catch (thrown) {
    if (!(thrown instanceof DamagedList)) throw thrown;
    return write(null);
  }
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
