import type { RetryPolicy } from "./retry.ts";
import { longestDelayMs, retryDelaySeconds } from "./retry.ts";
import type { StepCode, WorkStepCode } from "./step.ts";
import { lastOf, workAt, workStep } from "./step.ts";
import type { Blame, Outcome, SetAside } from "./ticket.ts";

/** How a run ended, as far as it decides what comes next. */
export interface Ended {
  readonly outcome: Outcome | "pending";
  readonly reason: string | null;
  /** It was looked up that a publication did not happen: the ticket may fail for want of retries. */
  readonly unpublished?: boolean;
  /** Ready again at once: the process died, the failure itself is unknown. */
  readonly retryAtOnce?: boolean;
  /** The step did not begin: what the ticket waits for (no free PPA); costs no retry. */
  readonly waitFor?: string;
  /** A person has to act on this ticket before it can go on; costs no retry. */
  readonly setAside?: SetAside;
  /** When a pending job is to be looked at again, ISO 8601. */
  readonly lookAgainAt?: string;
}

/** A ticket while its run ends. */
export interface AtWork {
  readonly step: WorkStepCode;
  /** The step that it goes on at once it has a PPA; null: at the next. */
  readonly resume: StepCode | null;
  /** Temporary failures in a row at this step so far. */
  readonly tmpfails: number;
  readonly cancelled: boolean;
}

/** What comes after a run. Times are ISO 8601. */
export type Transition =
  | { readonly kind: "goOn"; readonly to: StepCode }
  | {
      readonly kind: "fail";
      readonly blame: Blame;
      /** What is told beside the reason, as that all attempts are used up. */
      readonly reason: string | null;
    }
  | {
      readonly kind: "tryAgain";
      readonly failures: number;
      /** Null: at once. */
      readonly at: string | null;
      readonly waitingFor: string;
    }
  | { readonly kind: "wait"; readonly for: string }
  | { readonly kind: "lookAgain"; readonly at: string }
  | { readonly kind: "setAside"; readonly needs: SetAside }
  /** Whether the publication of a cancelled ticket came through has to be looked up first. */
  | { readonly kind: "lookUp" }
  | { readonly kind: "cancelled" };

/** The step after one that has passed: a ticket that is tried again goes on where it was asked to. */
export function stepAfter(
  step: WorkStepCode,
  resume: StepCode | null,
): StepCode {
  const { next, reservesPpa } = workAt(step);
  const [following, wanted] = [next, resume ?? next].map(workStep);
  return reservesPpa === true && following !== undefined
    ? lastOf(following.code, wanted?.code ?? following.code)
    : next;
}

/** What comes after a run of a ticket's step. */
export function transitionAfter(
  ticket: AtWork,
  end: Ended,
  policy: RetryPolicy,
  nowMs: number,
): Transition {
  const publishes = workAt(ticket.step).publishes === true;
  // A publication may have happened though its run did not pass.
  const unknown =
    publishes && end.outcome === "tmpfail" && end.unpublished !== true;
  const landed = publishes && end.outcome === "passed";
  if (ticket.cancelled && !landed)
    return unknown ? { kind: "lookUp" } : { kind: "cancelled" };
  switch (end.outcome) {
    case "passed":
      return { kind: "goOn", to: stepAfter(ticket.step, ticket.resume) };
    case "failed":
      return { kind: "fail", blame: "package", reason: end.reason };
    case "pending":
      return {
        kind: "lookAgain",
        at: atMost(end.lookAgainAt, nowMs + longestDelayMs),
      };
    case "tmpfail":
      break;
  }
  if (end.waitFor !== undefined) return { kind: "wait", for: end.waitFor };
  if (end.setAside !== undefined)
    return { kind: "setAside", needs: end.setAside };
  const failures = ticket.tmpfails + 1;
  const reason = end.reason ?? "";
  if (failures > policy.limit && !unknown)
    return {
      kind: "fail",
      blame: "infrastructure",
      reason: `${reason} (${failures} attempts)`,
    };
  const delay =
    end.retryAtOnce === true ? 0 : retryDelaySeconds(policy, failures);
  return {
    kind: "tryAgain",
    failures,
    at: delay === 0 ? null : new Date(nowMs + delay * 1000).toISOString(),
    waitingFor: `retry ${failures} of ${policy.limit}: ${reason}`,
  };
}

function atMost(time: string | undefined, latestMs: number): string {
  const latest = new Date(latestMs).toISOString();
  return time === undefined || time > latest ? latest : time;
}
