import { writeReport } from "../lib/report/write-report.ts";
import { execOk } from "../lib/host/exec.ts";
import { now } from "../lib/host/clock.ts";
import { heldLocks } from "../lib/host/lock.ts";
import { readMaintenance } from "../lib/host/maintenance.ts";
import { openDatabase } from "../lib/state/database.ts";
import { listPpas } from "../lib/state/ppas.ts";
import { listTickets } from "../lib/state/tickets.ts";
import type { CommandContext } from "./context.ts";

/** Writes the static site from the state as it is now. */
export async function writeStateReport(
  { paths, config, backends }: CommandContext,
  output: string,
) {
  const db = openDatabase(paths.database);
  const archive = await backends().archive();
  // Our own lock would make every report differ from the one before.
  const locks = heldLocks(paths.run).filter(({ pid }) => pid !== process.pid);
  const limit = config.get("lock.warnAfterMinutes");
  const old = locks.filter(
    ({ since }) => Date.now() - Date.parse(since) > limit * 60_000,
  );
  return writeReport(
    {
      title: config.get("report.title"),
      generated_at: now(),
      tickets: listTickets(db, {}, paths.store),
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
      maintenance: readMaintenance(paths.maintenance),
      warnings: old.map(
        ({ name, pid, host, since }) =>
          `${name} has been locked since ${since} by process ${pid} on ${host}`,
      ),
      signatures_optional: config.get("admission.signatures") === "optional",
    },
    output,
  );
}

/** Sends the report to a web host. The trailing slash copies the contents, not the folder. */
export async function sendReport(
  output: string,
  target: string,
): Promise<void> {
  await execOk(["rsync", "--archive", "--delete", "--", `${output}/`, target]);
}
