/** Work that somebody else's engine does for a ticket, which is looked at now and then. */
export interface PendingJob {
  /** Its name there. */
  readonly job: string;
  /** Whose engine it is. */
  readonly of: string;
  /** When it was handed over, ISO 8601. */
  readonly since: string;
  /** ISO 8601: the first pass after that looks. */
  readonly look_again_at: string;
}

/** "job 7 of Launchpad, looked at again at TIME". */
export function pendingInWords({
  job,
  of,
  look_again_at: at,
}: Omit<PendingJob, "since">): string {
  return `job ${job} of ${of}, looked at again at ${at}`;
}

/**
 * Milliseconds that one pass may work on a step. The limit runs over the whole of a job, however many
 * passes look at it; one that ended just before the limit can still be fetched.
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

/** Whether a job that is still not done has had its time. */
export function isOverdue(
  limitMs: number,
  beganAt: string,
  nowMs: number,
): boolean {
  return nowMs - Date.parse(beganAt) >= limitMs;
}
