import { ageInWords, isOlderThan } from "../domain/age.ts";
import type { ProcessIdentity } from "../files/process-identity.ts";

/** The contents of a PID file: who holds the lock, since when, and with which command line. */
export interface LockHolder extends ProcessIdentity {
  readonly name: string;
  readonly since: string;
  readonly command: string;
}

/** The holder of a lock in words: "process 12 on host, since 2026-…". */
export function holderInWords({ pid, host, since }: LockHolder): string {
  return `process ${pid} on ${host}, since ${since}`;
}

/**
 * The warning about a lock that is older than `lock.warnAfterMinutes`; null when it is not. There is no
 * warning about the lock of a dead process, which the next run takes over.
 */
export function oldLock(
  holder: LockHolder & { readonly dead?: boolean },
  warnAfterMinutes: number,
): string | null {
  if (holder.dead === true || !isOlderThan(holder.since, warnAfterMinutes))
    return null;
  return `${holder.name} has been running for ${ageInWords(holder.since)} (${holderInWords(holder)}: ${holder.command}); if it hangs, nothing of it goes on: look at it, and end it with kill ${holder.pid}`;
}

/** The former holder of a lock that was taken over, in words; null when the PID file was unreadable. */
export function deadInWords(dead: LockHolder | null): string {
  return dead === null
    ? "the PID file says nothing"
    : `${holderInWords(dead)}, is gone: ${dead.command}`;
}
