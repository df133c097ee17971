import { existsSync } from "node:fs";
import { join } from "node:path";

import { heldLocks } from "../../lib/locks/lock.ts";
import { readMaintenance } from "../../lib/locks/maintenance.ts";
import { readMadeFrom, reportBasis } from "../../lib/report/made-from.ts";
import { openCurrentDatabase } from "../../lib/state/database.ts";
import { whatHappened } from "../../lib/state/report-rows.ts";
import type { CommandContext } from "../../cli/context.ts";

/** Identifies everything that all pages of a report depend on. */
export function basisOf({
  paths,
  config,
}: Pick<CommandContext, "paths" | "config">): string {
  return reportBasis(paths.database, [
    config.get("report.title"),
    config.get("admission.signatures"),
  ]);
}

/**
 * Whether the existing report is still right: no event since, and nothing in it that changes with time.
 * That is what most cron runs find, so this file imports little.
 */
export function isUpToDate(
  context: Pick<CommandContext, "paths" | "config">,
  output: string,
): boolean {
  const { paths } = context;
  const made = readMadeFrom(output);
  if (made?.calm !== true) return false;
  if (
    ![join(output, "index.html"), paths.database].every((file) =>
      existsSync(file),
    )
  )
    return false;
  if (made.basis !== basisOf(context)) return false;
  if (readMaintenance(paths.maintenance) !== null) return false;
  if (heldLocks(paths.run).length > 0) return false;
  const db = openCurrentDatabase(paths.database);
  if (db === undefined) return false;
  try {
    const { event, open } = whatHappened(db);
    return event === made.event && !open;
  } finally {
    db.close();
  }
}
