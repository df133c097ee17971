import { statSync } from "node:fs";
import { statfs } from "node:fs/promises";

import { ageInWords } from "../domain/age.ts";
import type { HealthReport, Measure } from "../domain/health.ts";
import { judgeAll } from "../domain/health.ts";
import { advice, remedy } from "../domain/remedy.ts";
import type { Advice } from "../domain/remedy.ts";
import { stepOf } from "../domain/step.ts";
import type { Archive } from "../backends/archive/archive.ts";
import type { Config } from "../config/config.ts";
import { lastDone } from "../host/last-done.ts";
import { heldLocks } from "../locks/lock.ts";
import { holderInWords } from "../locks/lock-holder.ts";
import {
  forgottenInWords,
  maintenanceInWords,
  readMaintenance,
} from "../locks/maintenance.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Connection } from "../state/database.ts";
import {
  failedByInfrastructure,
  lastBackup,
  oldestWaiting,
  stateBegan,
  unfinishedTickets,
} from "../state/health.ts";
import { oldestUnsent } from "../state/notifications.ts";
import { ticketsSetAside } from "../state/set-aside.ts";
import { listPpas } from "../state/ppas.ts";
import { openRuns } from "../state/leases.ts";
import { integrityMeasures, requireSoundState } from "./check-integrity.ts";

interface Watched {
  readonly db: Connection;
  readonly paths: StatePaths;
  readonly config: Config;
  readonly archive: () => Promise<Archive>;
}

/** Unfinished tickets, by step and status. */
export type TicketCounts = ReturnType<typeof unfinishedTickets>;

const minute = 60;
const hour = 60 * minute;
const mebibyte = 1024 * 1024;

/**
 * Measures what can go wrong unnoticed, and judges it by the thresholds in the settings.
 *
 * @throws Damage when the state file is damaged
 */
export async function checkHealth(
  watched: Watched,
): Promise<{ report: HealthReport; tickets: TicketCounts }> {
  const { db, paths, archive } = watched;
  requireSoundState(db, paths);
  const tickets = unfinishedTickets(db);
  const disk = await statfs(paths.root);
  const measures: Measure[] = [
    maintenanceAge(watched),
    lockAge(watched),
    heartbeatAge(watched),
    waitingAge(watched),
    infrastructureFailures(watched),
    setAside(watched),
    unsentMail(watched),
    freePpas(watched),
    diskFree(watched, disk),
    inodesFree(watched, disk),
    reportAge(watched),
    backupAge(watched),
    stateSize(watched),
    ...(await integrityMeasures(db, await archive(), watched.config)),
  ];
  const count = (status: string) =>
    tickets
      .filter((row) => row.status === status)
      .reduce((sum, row) => sum + row.count, 0);
  const maintenance = readMaintenance(paths.maintenance);
  const toggled =
    maintenance === null
      ? ""
      : `maintenance is ${maintenanceInWords(maintenance)}; `;
  const summary = `${toggled}tickets: ${count("running")} running, ${count("waiting")} waiting, ${count("held")} held; ${((disk.bavail * disk.bsize) / 1e9).toFixed(1)} GB free`;
  return { report: judgeAll(measures, summary), tickets };
}

/** A threshold of the settings in the unit of the measure; 0 means never. */
function from(value: number, factor = 1): number | null {
  return value === 0 ? null : value * factor;
}

/** The part of a measure that tells how long something has lasted; null when there is no such thing. */
function lasting(
  since: string | null | undefined,
  words: Advice | null | undefined,
): Pick<Measure, "unit" | "bad" | "value" | "words"> {
  // Not negative, even when the clock was set back.
  const seconds = (time: string) =>
    Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
  const value = since == null ? null : seconds(since);
  return { unit: "s", bad: "above", value, words: words ?? "" };
}

function maintenanceAge({ paths, config }: Watched): Measure {
  const found = readMaintenance(paths.maintenance);
  return {
    name: "maintenance_age",
    help: "How long maintenance has been on.",
    warn: from(config.get("maintenance.warnAfterMinutes"), minute),
    critical: from(config.get("check.maintenance.criticalMinutes"), minute),
    ...lasting(found?.since, found && forgottenInWords(found)),
  };
}

function lockAge({ paths, config }: Watched): Measure {
  const [oldest] = heldLocks(paths.run)
    .filter(({ dead }) => !dead)
    .sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
  return {
    name: "lock_age",
    help: "Age of the oldest lock that is held.",
    warn: from(config.get("lock.warnAfterMinutes"), minute),
    critical: from(config.get("check.lock.criticalMinutes"), minute),
    ...lasting(
      oldest?.since,
      oldest &&
        `${oldest.name} has been running for ${ageInWords(oldest.since)} (${holderInWords(oldest)})`,
    ),
  };
}

function heartbeatAge({ db, config }: Watched): Measure {
  const [oldest] = openRuns(db).sort(
    (a, b) => Date.parse(a.heartbeat_at) - Date.parse(b.heartbeat_at),
  );
  return {
    name: "heartbeat_age",
    help: "Silence of the running step that was heard of longest ago.",
    warn: from(config.get("check.heartbeat.warnMinutes"), minute),
    critical: from(config.get("check.heartbeat.criticalMinutes"), minute),
    ...lasting(
      oldest?.heartbeat_at,
      oldest &&
        `nothing was heard of ticket ${oldest.ticket} at ${stepOf(oldest.step).name} for ${ageInWords(oldest.heartbeat_at)} (process ${oldest.pid} on ${oldest.host})`,
    ),
  };
}

function waitingAge({ db, config }: Watched): Measure {
  const oldest = oldestWaiting(db);
  return {
    name: "waiting_age",
    help: "Time that the ticket has waited which has waited longest.",
    warn: from(config.get("check.waiting.warnMinutes"), minute),
    critical: from(config.get("check.waiting.criticalMinutes"), minute),
    ...lasting(
      oldest?.since,
      oldest &&
        `ticket ${oldest.id} has been waiting at ${stepOf(oldest.step).name} for ${ageInWords(oldest.since)}${oldest.waiting_for === null ? "" : ` (${oldest.waiting_for})`}`,
    ),
  };
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
    warn: from(config.get("check.infrastructure.warn")),
    critical: from(config.get("check.infrastructure.critical")),
    bad: "above",
    words: `infrastructure failed ${ids.length === 1 ? "ticket" : "tickets"} ${ids.slice(-5).join(", ")}${ids.length > 5 ? ` and ${ids.length - 5} more` : ""} in the last ${days} days`,
  };
}

/** Tickets that need a person are told from the first one on. */
function setAside({ db }: Watched): Measure {
  const found = ticketsSetAside(db);
  const [first] = found;
  const more = found.length === 1 ? "" : ` (and ${found.length - 1} more)`;
  return {
    name: "set_aside",
    help: "Tickets that were set aside, and need a person.",
    unit: "",
    value: found.length,
    warn: 1,
    critical: null,
    bad: "above",
    words:
      first === undefined
        ? ""
        : advice`ticket ${first.id} is set aside at ${stepOf(first.step).name}: ${first.reason} (${remedy("explain", [first.id])})${more}`,
  };
}

/** Mail that no server takes is told once it has waited for several passes of `remind`. */
function unsentMail({ db, config }: Watched): Measure {
  const oldest = oldestUnsent(db);
  return {
    name: "mail_age",
    help: "Time that the mail has waited to be sent which has waited longest.",
    warn: from(config.get("check.mail.warnMinutes"), minute),
    critical: from(config.get("check.mail.criticalMinutes"), minute),
    ...lasting(
      oldest?.intended_at,
      oldest &&
        advice`a mail to ${oldest.recipient} has waited ${ageInWords(oldest.intended_at)} to be sent${oldest.trouble === null ? "" : `: ${oldest.trouble}`} (${remedy("remind")})`,
    ),
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
    warn: from(config.get("check.freePpas.warnBelow")),
    critical: from(config.get("check.freePpas.criticalBelow")),
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
  const reserve = config.get("limits.diskReserveMiB") * mebibyte;
  const critical = config.get("check.diskFree.criticalMiB") * mebibyte;
  const stops =
    free < reserve
      ? `, less than the reserve of ${(reserve / 1e9).toFixed(1)} GB: no step starts but publish (limits.diskReserveMiB)`
      : "";
  return {
    name: "disk_free",
    help: "Free space on the disk of the state folder.",
    unit: "B",
    value: free,
    warn: from(config.get("check.diskFree.warnMiB"), mebibyte),
    critical: from(Math.max(critical, reserve)),
    bad: "below",
    max: disk.blocks * disk.bsize,
    words: `${(free / 1e9).toFixed(1)} GB are free on the disk of ${paths.root}${stops}`,
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
    warn: from(config.get("check.inodesFree.warnPercent")),
    critical: from(config.get("check.inodesFree.criticalPercent")),
    bad: "below",
    words: `${free ?? 0} % of the inodes are free on the disk of ${paths.root}`,
  };
}

/** How long ago something was last done; until it is first done, since the state began. */
function sinceDone({ db }: Watched, last: string | null, what: string) {
  const since = last ?? stateBegan(db);
  const ago = since === null ? "" : ageInWords(since);
  const words = `${what} ${last === null ? `never, in ${ago}` : `${ago} ago`}`;
  return lasting(since, words);
}

function reportAge(watched: Watched): Measure {
  const { paths, config } = watched;
  const last = lastDone(paths.run, "shepherd-report");
  return {
    name: "report_age",
    help: "Time since the report was written.",
    warn: from(config.get("check.report.warnMinutes"), minute),
    critical: from(config.get("check.report.criticalMinutes"), minute),
    ...sinceDone(watched, last, "the report was last written"),
  };
}

function backupAge(watched: Watched): Measure {
  const { db, config } = watched;
  return {
    name: "backup_age",
    help: "Time since the newest backup.",
    warn: from(config.get("check.backup.warnHours"), hour),
    critical: from(config.get("check.backup.criticalHours"), hour),
    ...sinceDone(watched, lastBackup(db), "the last backup was made"),
  };
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
    warn: from(config.get("check.stateSize.warnMiB"), mebibyte),
    critical: from(config.get("check.stateSize.criticalMiB"), mebibyte),
    bad: "above",
    words: `the state file has ${(size / 1e6).toFixed(0)} MB`,
  };
}
