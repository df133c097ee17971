import { ageInWords, isOlderThan } from "../domain/age.ts";
import type { ProcessIdentity } from "../files/process-identity.ts";

/** What a PID file says: who holds the lock, since when, and with which command line. */
export interface LockHolder extends ProcessIdentity {
  readonly name: string;
  readonly since: string;
  readonly command: string;
}

/** Who holds a lock: "process 12 on host, since 2026-…". */
export function holderInWords({ pid, host, since }: LockHolder): string {
  return `process ${pid} on ${host}, since ${since}`;
}

/**
 * What to warn of when a lock is older than `lock.warnAfterMinutes`; null when all is well. The
 * lock of a dead process is no reason: the next run takes it over.
 */
export function oldLock(
  holder: LockHolder & { readonly dead?: boolean },
  warnAfterMinutes: number,
): string | null {
  if (holder.dead === true || !isOlderThan(holder.since, warnAfterMinutes))
    return null;
  return `${holder.name} has been running for ${ageInWords(holder.since)} (${holderInWords(holder)}: ${holder.command}); if it hangs, nothing of it goes on: look at it, and end it with kill ${holder.pid}`;
}

/** Whose lock was taken over: the dead process, or unknown when the PID file does not say. */
export function deadInWords(dead: LockHolder | null): string {
  return dead === null
    ? "the PID file says nothing"
    : `${holderInWords(dead)}, is gone: ${dead.command}`;
}
