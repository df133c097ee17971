import type { FailedTicket } from "../domain/failure-groups.ts";
import { packageFolder } from "../domain/published-name.ts";
import type { WaitingLanding } from "../domain/landing.ts";
import type { Ticket } from "../domain/ticket.ts";
import type { ReportInput } from "./report-input.ts";

/** What a person has to do, and what they wait for. */
export interface Person {
  readonly owner: string;
  /** Recent failures, newest first. */
  readonly failed: readonly FailedTicket[];
  /** Landings that are bad or wait for a verdict. */
  readonly landings: readonly WaitingLanding[];
  readonly open: readonly Ticket[];
}

/** Everybody with a ticket that is open or failed lately, or with a landing in doubt, by their addresses. */
export function people({
  open,
  failed,
  doubtful,
}: Pick<ReportInput, "open" | "failed" | "doubtful">): Person[] {
  const owners = new Set([
    ...open.map(({ owner }) => owner),
    ...failed.map(({ owner }) => owner),
    ...doubtful.map(({ landing }) => landing.owner),
  ]);
  return [...owners].sort().map((owner) => ({
    owner,
    failed: failed.filter((one) => one.owner === owner),
    landings: doubtful.filter(({ landing }) => landing.owner === owner),
    open: open.filter((one) => one.owner === owner),
  }));
}

/** Where the feed of an owner lies in the report. */
export function ownerFeed(owner: string): string {
  return `feeds/owners/${packageFolder(owner)}.atom`;
}
