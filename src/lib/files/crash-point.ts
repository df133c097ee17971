/**
 * Points between two writes that belong together, in the order in which a ticket reaches them. Tests
 * kill the process at each, and the next process has to recover.
 */
export const crashPoints = [
  "admission.staged",
  "ticket.file-placed",
  "ticket.placed",
  "ticket.rows-written",
  "ticket.created",
  "ticket.updated",
  "lock.prepared",
  "lock.taken",
  "lock.taking-over",
  "lock.taken-over",
  "lock.released",
  "lease.written",
  "lease.taken",
  "lease.taken-over",
  "lease.given-up",
  "file.written",
  "file.flushed",
  "file.renamed",
  "link.made",
  "job.begun",
  "job.submitted",
  "job.cancelled",
  "run.files-stored",
  "run.tidied",
  "run.closed",
  "run.recorded",
  "run.ended",
  "ppa.reserved",
  "ppa.cleaning",
  "ppa.emptied",
  "ppa.freed",
  "publish.begun",
  "publish.copied",
  "publish.prepared",
  "publish.renamed",
  "publish.shown",
  "resign.prepared",
  "resign.renamed",
  "resign.shown",
  "cancel.asked",
  "cancel.recorded",
  "retry.recorded",
  "maintenance.written",
  "report.log-made",
  "report.page-written",
  "report.pages-written",
] as const;

/** Crash points of commands that maintain the state; no ticket reaches them. */
type UpkeepPoint =
  | "key.made"
  | "key.merged"
  | "key.rotated"
  | "key.retired"
  | "key.resigned"
  | "backup.packed"
  | "backup.placed"
  | "restore.begun"
  | "restore.checked"
  | "restore.set-aside"
  | "restore.placed"
  | "expire.marked"
  | "expire.removed"
  | "expire.revision-gone"
  | "expire.layer-gone"
  | "archive.taken-out"
  | "fsck.mended"
  | "reminder.recorded"
  | "reminder.intended"
  | "reminder.delivered";

type CrashPoint = (typeof crashPoints)[number] | UpkeepPoint;

/** `POINT`, or `POINT:N` for the Nth time that it is reached, or `POINT:N:SIGNAL` for a milder signal. */
const wanted = process.env["UBUNTU_CI_CRASH_AT"]?.split(":");
let left = Number(wanted?.[1] ?? 1);
const signal = (wanted?.[2] ?? "SIGKILL") as NodeJS.Signals;

/**
 * Fault injection, like the fail points of databases: kills this process with SIGKILL, or sends it a
 * milder signal, when the environment variable UBUNTU_CI_CRASH_AT names this point. Costs one comparison
 * when that is unset.
 */
export function crashPoint(name: CrashPoint): void {
  if (wanted?.[0] !== name) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, signal);
}
