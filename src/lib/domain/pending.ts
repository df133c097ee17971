/** A job that a remote engine runs for a ticket, and that is polled now and then. */
export interface PendingJob {
  /** Its name at the remote engine. */
  readonly job: string;
  /** Name of the remote engine. */
  readonly of: string;
  /** When it was submitted, ISO 8601. */
  readonly since: string;
  /** When to poll it again, ISO 8601: the first pass after that does. */
  readonly look_again_at: string;
}

/** A job in words: "job 7 of Launchpad, looked at again at TIME". */
export function pendingInWords({
  job,
  of,
  look_again_at: at,
}: Omit<PendingJob, "since">): string {
  return `job ${job} of ${of}, looked at again at ${at}`;
}

/**
 * Milliseconds that one pass may work on a step. The limit applies to a job as a whole, however many
 * passes poll it. After the limit a pass still gets a few minutes, to fetch the results of a job that
 * ended just before.
 */
export function passLimitMs(
  limitMs: number,
  beganAt: string | null,
  nowMs: number,
): number {
  const spent = beganAt === null ? 0 : Math.max(0, nowMs - Date.parse(beganAt));
  return Math.max(limitMs - spent, Math.min(limitMs, lastLookMs));
}

const lastLookMs = 10 * 60_000;

/** Whether a job that is not done has used up its time. */
export function isOverdue(
  limitMs: number,
  beganAt: string,
  nowMs: number,
): boolean {
  return nowMs - Date.parse(beganAt) >= limitMs;
}
