import { existsSync } from "node:fs";
import { join } from "node:path";

import type { Config } from "../config/config.ts";
import type { StatePaths } from "../host/paths.ts";
import { heldLocks } from "../locks/lock.ts";
import { readMaintenance } from "../locks/maintenance.ts";
import { readMadeFrom, reportBasis } from "../report/made-from.ts";
import { openCurrentDatabase } from "../state/database.ts";
import { whatHappened } from "../state/report-rows.ts";

/** The state folder and the configuration that a report is made from. */
export interface Installation {
  readonly paths: StatePaths;
  readonly config: Config;
}

/** Identifies everything that all pages of a report depend on. */
export function basisOf({ paths, config }: Installation): string {
  return reportBasis(paths.database, [
    config.get("report.title"),
    config.get("report.url"),
    config.get("admission.signatures"),
  ]);
}

/**
 * Whether the existing report is up to date: no event since, and nothing in it that changes with time.
 * Most cron runs find that it is, so this module imports little.
 */
export function isUpToDate(
  installation: Installation,
  output: string,
): boolean {
  const { paths } = installation;
  const made = readMadeFrom(output);
  if (
    made?.calm !== true ||
    !existsSync(join(output, "index.html")) ||
    !existsSync(paths.database) ||
    made.basis !== basisOf(installation) ||
    readMaintenance(paths.maintenance) !== null ||
    heldLocks(paths.run).length > 0
  )
    return false;
  const db = openCurrentDatabase(paths.database);
  if (db === undefined) return false;
  try {
    const { event, open } = whatHappened(db);
    return event === made.event && !open;
  } finally {
    db.close();
  }
}
