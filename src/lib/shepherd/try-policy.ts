import { oneLine } from "../domain/shown-text.ts";
import type { Decision, Judgement, Policy } from "../domain/policy.ts";
import type { RecordedTicket } from "../domain/recorded-decision.ts";
import {
  decideRecorded,
  recordedDecision,
  stoppedBecause,
} from "../domain/recorded-decision.ts";
import { machineArchitecture } from "../host/architecture.ts";
import type { Connection } from "../state/database.ts";
import { recordedTickets } from "../state/recorded-tickets.ts";

/** A ticket as a policy would have decided about it. */
export interface TriedTicket {
  readonly ticket: number;
  readonly series: string;
  readonly sources: readonly {
    readonly source: string;
    readonly version: string;
  }[];
  /** What was decided about it. */
  readonly was: Decision;
  /** What the policy decides. */
  readonly would: Decision;
  readonly judgements: readonly Judgement[];
}

/** A ticket about which a policy decides otherwise than was decided. */
export interface ChangedTicket extends Omit<TriedTicket, "judgements"> {
  /** Why it was stopped then, or is not let through now. */
  readonly because: string | null;
}

/** What a policy would have decided otherwise over all that is on record. */
export interface PolicyDifference {
  /** All tickets that were let through or stopped. */
  readonly decided: number;
  /** Those that were stopped, and would have been let through, or gone on to what was never tried of them. */
  readonly let_through: readonly ChangedTicket[];
  /** Those that were let through, and would not have been. */
  readonly stopped: readonly ChangedTicket[];
}

/** Tries a policy on the recorded tickets, or one of them. */
export function* tryPolicy(
  db: Connection,
  policy: Policy,
  only?: number,
): Generator<TriedTicket> {
  for (const recorded of recordedTickets(db, only))
    yield tried(policy, recorded);
}

function tried(policy: Policy, recorded: RecordedTicket): TriedTicket {
  const { id, series, sources } = recorded;
  const { decision, judgements } = decideRecorded(
    policy,
    recorded,
    machineArchitecture(),
  );
  return {
    ...{ ticket: id, series, sources },
    was: recordedDecision(recorded),
    would: decision,
    judgements,
  };
}

/** Compares what a policy decides with what was decided. */
export function policyDifference(
  db: Connection,
  policy: Policy,
): PolicyDifference {
  const letThrough: ChangedTicket[] = [];
  const stopped: ChangedTicket[] = [];
  let decided = 0;
  for (const recorded of recordedTickets(db)) {
    const { judgements, ...one } = tried(policy, recorded);
    if (one.was === "undecided") continue;
    decided += 1;
    if (one.was === "stopped" && one.would !== "stopped")
      letThrough.push({ ...one, because: stoppedBecause(recorded) });
    else if (one.was === "through" && one.would !== "through")
      stopped.push({ ...one, because: whyNot(judgements) });
  }
  return { decided, let_through: letThrough, stopped };
}

/** A difference in one line: what `set` records. */
export function differenceInWords({
  decided,
  let_through: more,
  stopped,
}: PolicyDifference): string {
  return `of ${decided} decided tickets it would have let ${more.length} through that were stopped, and stopped ${stopped.length} that were let through`;
}

/** What keeps a ticket from going on, in words; null when nothing does. */
export function whyNot(judgements: readonly Judgement[]): string | null {
  const open = judgements.filter(
    ({ state }) => state !== "pass" && state !== "waived",
  );
  const failed = open.filter(({ state }) => state === "fail");
  const told = failed.length > 0 ? failed : open;
  return told.length === 0 ? null : told.map(judgementInWords).join("; ");
}

/** A judgement in words: `tests of hello, smoke: fail (it broke)`. */
export function judgementInWords({
  requirement,
  source,
  test,
  state,
  because,
}: Judgement): string {
  const of = source === "" ? "" : ` of ${source}`;
  const which = test === null ? "" : `, ${test}`;
  const why = because === state ? "" : ` (${because})`;
  return oneLine(`${requirement}${of}${which}: ${state}${why}`);
}
