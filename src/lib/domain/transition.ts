import type { RetryPolicy } from "./retry.ts";
import { longestDelayMs, retryDelaySeconds } from "./retry.ts";
import type { StepCode, WorkStepCode } from "./step.ts";
import { lastOf, workAt, workStep } from "./step.ts";
import type { Blame, Outcome, SetAside } from "./ticket.ts";

/** How a run ended, with what decides the next state of its ticket. */
export interface Ended {
  readonly outcome: Outcome | "pending";
  readonly reason: string | null;
  /** The archive was checked and the publication did not happen: the ticket may fail when retries are used up. */
  readonly unpublished?: boolean;
  /** Retry without a delay, because the process died and the cause is unknown. */
  readonly retryAtOnce?: boolean;
  /** The step did not begin: what the ticket waits for, such as a free PPA; does not count as a retry. */
  readonly waitFor?: string;
  /** A person has to act before the ticket can continue; does not count as a retry. */
  readonly setAside?: SetAside;
  /** When to poll a pending job again, ISO 8601. */
  readonly lookAgainAt?: string;
}

/** A ticket whose run ends. */
export interface AtWork {
  readonly step: WorkStepCode;
  /** The step at which it continues once it has a PPA; null: the next step. */
  readonly resume: StepCode | null;
  /** Consecutive temporary failures at this step so far. */
  readonly tmpfails: number;
  readonly cancelled: boolean;
}

/** The next state of a ticket after a run. Times are ISO 8601. */
export type Transition =
  | { readonly kind: "goOn"; readonly to: StepCode }
  | {
      readonly kind: "fail";
      readonly blame: Blame;
      /** The reason, with the number of attempts when they are used up. */
      readonly reason: string | null;
    }
  | {
      readonly kind: "tryAgain";
      readonly failures: number;
      /** When; null: at once. */
      readonly at: string | null;
      readonly waitingFor: string;
    }
  | { readonly kind: "wait"; readonly for: string }
  | { readonly kind: "lookAgain"; readonly at: string }
  | { readonly kind: "setAside"; readonly needs: SetAside }
  /** A cancelled ticket may have been published: the archive has to be checked first. */
  | { readonly kind: "lookUp" }
  | { readonly kind: "cancelled" };

/** The step after one that passed; a retried ticket that has its PPA continues at the step it is to resume at. */
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

/** Decides the next state of a ticket after a run of its step. */
export function transitionAfter(
  ticket: AtWork,
  end: Ended,
  policy: RetryPolicy,
  nowMs: number,
): Transition {
  const publishes = workAt(ticket.step).publishes === true;
  // A publication may have happened although its run did not pass.
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
