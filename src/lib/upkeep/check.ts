import { statSync } from "node:fs";
import { statfs } from "node:fs/promises";

import { ageInWords } from "../domain/age.ts";
import type { HealthReport, Measure } from "../domain/health.ts";
import { judgeAll } from "../domain/health.ts";
import type { Advice } from "../domain/remedy.ts";
import { stepOf } from "../domain/step.ts";
import type { Config } from "../config/config.ts";
import { lastDone } from "../host/last-done.ts";
import { heldLocks } from "../locks/lock.ts";
import { holderInWords } from "../locks/lock-holder.ts";
import { forgottenInWords, readMaintenance } from "../locks/maintenance.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Connection } from "../state/database.ts";
import {
  failedByInfrastructure,
  lastBackup,
  oldestWaiting,
  stateBegan,
  unfinishedTickets,
} from "../state/health.ts";
import { listPpas } from "../state/ppas.ts";
import { openRuns } from "../state/leases.ts";

interface Watched {
  readonly db: Connection;
  readonly paths: StatePaths;
  readonly config: Config;
}

/** Unfinished tickets, by step and status. */
export type TicketCounts = ReturnType<typeof unfinishedTickets>;

const minute = 60;
const hour = 60 * minute;
const mebibyte = 1024 * 1024;

/** Measures what can go wrong unnoticed, and judges it by the thresholds in the settings. */
export async function checkHealth(
  watched: Watched,
): Promise<{ report: HealthReport; tickets: TicketCounts }> {
  const { db, paths } = watched;
  const tickets = unfinishedTickets(db);
  const disk = await statfs(paths.root);
  const measures: Measure[] = [
    maintenanceAge(watched),
    lockAge(watched),
    heartbeatAge(watched),
    waitingAge(watched),
    infrastructureFailures(watched),
    freePpas(watched),
    diskFree(watched, disk),
    inodesFree(watched, disk),
    reportAge(watched),
    backupAge(watched),
    stateSize(watched),
  ];
  const count = (status: string) =>
    tickets
      .filter((row) => row.status === status)
      .reduce((sum, row) => sum + row.count, 0);
  const summary = `tickets: ${count("running")} running, ${count("waiting")} waiting, ${count("held")} held; ${((disk.bavail * disk.bsize) / 1e9).toFixed(1)} GB free`;
  return { report: judgeAll(measures, summary), tickets };
}

/** The thresholds of a measure in its own unit; 0 in a setting means never. */
function limits(
  warn: number,
  critical: number,
  factor = 1,
): Pick<Measure, "warn" | "critical"> {
  const limit = (value: number) => (value === 0 ? null : value * factor);
  return { warn: limit(warn), critical: limit(critical) };
}

/** Something that began at a time, and what to say when that is too long ago. */
interface Lasting {
  readonly since: string;
  readonly words: Advice;
}

/** A measure of the time for which something lasts; it has no value when there is no such thing. */
function age(
  measure: Pick<Measure, "name" | "help" | "warn" | "critical">,
  found: Lasting | null | undefined,
): Measure {
  return {
    ...measure,
    unit: "s",
    bad: "above",
    // Not negative, even when the clock was set back.
    value: found
      ? Math.max(0, Math.round((Date.now() - Date.parse(found.since)) / 1000))
      : null,
    words: found?.words ?? "",
  };
}

function maintenanceAge({ paths, config }: Watched): Measure {
  const found = readMaintenance(paths.maintenance);
  return age(
    {
      name: "maintenance_age",
      help: "How long maintenance has been on.",
      ...limits(
        config.get("maintenance.warnAfterMinutes"),
        config.get("check.maintenance.criticalMinutes"),
        minute,
      ),
    },
    found && { since: found.since, words: forgottenInWords(found) },
  );
}

function lockAge({ paths, config }: Watched): Measure {
  const [oldest] = heldLocks(paths.run)
    .filter(({ dead }) => !dead)
    .sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
  return age(
    {
      name: "lock_age",
      help: "Age of the oldest lock that is held.",
      ...limits(
        config.get("lock.warnAfterMinutes"),
        config.get("check.lock.criticalMinutes"),
        minute,
      ),
    },
    oldest && {
      since: oldest.since,
      words: `${oldest.name} has been running for ${ageInWords(oldest.since)} (${holderInWords(oldest)})`,
    },
  );
}

function heartbeatAge({ db, config }: Watched): Measure {
  const [oldest] = openRuns(db).sort(
    (a, b) => Date.parse(a.heartbeat_at) - Date.parse(b.heartbeat_at),
  );
  return age(
    {
      name: "heartbeat_age",
      help: "Silence of the running step that was heard of longest ago.",
      ...limits(
        config.get("check.heartbeat.warnMinutes"),
        config.get("check.heartbeat.criticalMinutes"),
        minute,
      ),
    },
    oldest && {
      since: oldest.heartbeat_at,
      words: `nothing was heard of ticket ${oldest.ticket} at ${stepOf(oldest.step).name} for ${ageInWords(oldest.heartbeat_at)} (process ${oldest.pid} on ${oldest.host})`,
    },
  );
}

function waitingAge({ db, config }: Watched): Measure {
  const oldest = oldestWaiting(db);
  return age(
    {
      name: "waiting_age",
      help: "Time that the ticket has waited which has waited longest.",
      ...limits(
        config.get("check.waiting.warnMinutes"),
        config.get("check.waiting.criticalMinutes"),
        minute,
      ),
    },
    oldest && {
      since: oldest.since,
      words: `ticket ${oldest.id} has been waiting at ${stepOf(oldest.step).name} for ${ageInWords(oldest.since)}${oldest.waiting_for === null ? "" : ` (${oldest.waiting_for})`}`,
    },
  );
}

function infrastructureFailures({ db, config }: Watched): Measure {
  const days = config.get("check.infrastructure.days");
  const ids = failedByInfrastructure(
    db,
    new Date(Date.now() - days * 86_400_000).toISOString(),
  );
  return {
    name: "infrastructure_failures",
    help: "Tickets that our infrastructure failed lately.",
    unit: "",
    value: ids.length,
    ...limits(
      config.get("check.infrastructure.warn"),
      config.get("check.infrastructure.critical"),
    ),
    bad: "above",
    words: `infrastructure failed ${ids.length === 1 ? "ticket" : "tickets"} ${ids.slice(-5).join(", ")}${ids.length > 5 ? ` and ${ids.length - 5} more` : ""} in the last ${days} days`,
  };
}

function freePpas({ db, config }: Watched): Measure {
  const all = listPpas(db);
  const free = all.filter(({ state }) => state === "free").length;
  return {
    name: "ppas_free",
    help: "PPAs of the pool that are free.",
    unit: "",
    value: free,
    ...limits(
      config.get("check.freePpas.warnBelow"),
      config.get("check.freePpas.criticalBelow"),
    ),
    bad: "below",
    max: all.length,
    words: `${free} of ${all.length} PPAs are free`,
  };
}

interface Disk {
  readonly bavail: number;
  readonly bsize: number;
  readonly blocks: number;
  readonly files: number;
  readonly ffree: number;
}

function diskFree({ paths, config }: Watched, disk: Disk): Measure {
  const free = disk.bavail * disk.bsize;
  return {
    name: "disk_free",
    help: "Free space on the disk of the state folder.",
    unit: "B",
    value: free,
    ...limits(
      config.get("check.diskFree.warnMiB"),
      config.get("check.diskFree.criticalMiB"),
      mebibyte,
    ),
    bad: "below",
    max: disk.blocks * disk.bsize,
    words: `${(free / 1e9).toFixed(1)} GB are free on the disk of ${paths.root}`,
  };
}

function inodesFree({ paths, config }: Watched, disk: Disk): Measure {
  // btrfs allocates inodes as needed, and reports that there are none.
  const free =
    disk.files === 0 ? null : Math.floor((disk.ffree / disk.files) * 100);
  return {
    name: "inodes_free",
    help: "Free inodes on the disk of the state folder.",
    unit: "%",
    value: free,
    ...limits(
      config.get("check.inodesFree.warnPercent"),
      config.get("check.inodesFree.criticalPercent"),
    ),
    bad: "below",
    words: `${free ?? 0} % of the inodes are free on the disk of ${paths.root}`,
  };
}

/** Something to be done regularly; until it is first done, it is due since the state began. */
function sinceDone(
  { db }: Watched,
  last: string | null,
  what: string,
): Lasting | null {
  const since = last ?? stateBegan(db);
  if (since === null) return null;
  const ago = ageInWords(since);
  const words = `${what} ${last === null ? `never, in ${ago}` : `${ago} ago`}`;
  return { since, words };
}

function reportAge(watched: Watched): Measure {
  const { paths, config } = watched;
  const last = lastDone(paths.run, "shepherd-report");
  return age(
    {
      name: "report_age",
      help: "Time since the report was written.",
      ...limits(
        config.get("check.report.warnMinutes"),
        config.get("check.report.criticalMinutes"),
        minute,
      ),
    },
    sinceDone(watched, last, "the report was last written"),
  );
}

function backupAge(watched: Watched): Measure {
  const { db, config } = watched;
  return age(
    {
      name: "backup_age",
      help: "Time since the newest backup.",
      ...limits(
        config.get("check.backup.warnHours"),
        config.get("check.backup.criticalHours"),
        hour,
      ),
    },
    sinceDone(watched, lastBackup(db), "the last backup was made"),
  );
}

function stateSize({ paths, config }: Watched): Measure {
  const size = [paths.database, `${paths.database}-wal`].reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
  return {
    name: "state_size",
    help: "Size of the state file with its write-ahead log.",
    unit: "B",
    value: size,
    ...limits(
      config.get("check.stateSize.warnMiB"),
      config.get("check.stateSize.criticalMiB"),
      mebibyte,
    ),
    bad: "above",
    words: `the state file has ${(size / 1e6).toFixed(0)} MB`,
  };
}
