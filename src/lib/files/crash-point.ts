/**
 * Where a process may be killed on purpose: between any two writes that belong together, in the
 * order in which a ticket meets them. What follows each is what the next process has to cope with.
 */
export const crashPoints = [
  "admission.staged",
  "ticket.rows-written",
  "ticket.file-placed",
  "ticket.placed",
  "ticket.created",
  "ticket.updated",
  "lock.prepared",
  "lock.taken",
  "lock.taking-over",
  "lock.taken-over",
  "lock.released",
  "lease.written",
  "lease.taken",
  "lease.given-up",
  "file.written",
  "file.flushed",
  "file.renamed",
  "link.made",
  "job.begun",
  "job.submitted",
  "job.cancelled",
  "run.files-stored",
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
  "cancel.asked",
  "cancel.recorded",
  "retry.recorded",
  "maintenance.written",
  "report.pages-written",
] as const;

/** Where what looks after the state may be killed, which tickets do not meet. */
type UpkeepPoint =
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
  | "fsck.mended";

export type CrashPoint = (typeof crashPoints)[number] | UpkeepPoint;

/** `POINT`, or `POINT:N` for the Nth time it is reached. */
const wanted = process.env["UBUNTU_CI_CRASH_AT"]?.split(":");
let left = Number(wanted?.[1] ?? 1);

/**
 * Fault injection, as the fail points of databases: ends this process with SIGKILL when the
 * environment variable UBUNTU_CI_CRASH_AT names this point. It shows on any installation that
 * nothing is lost here; unset, it is one comparison.
 */
export function crashPoint(name: CrashPoint): void {
  if (wanted?.[0] !== name) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, "SIGKILL");
}
