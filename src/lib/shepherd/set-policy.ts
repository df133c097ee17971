import { isDeepStrictEqual } from "node:util";

import type { Config } from "../config/config.ts";
import { refused } from "../domain/error.ts";
import type { Plan } from "../domain/plan.ts";
import { advice, remedy } from "../domain/remedy.ts";
import type { Connection } from "../state/database.ts";
import { policyInForce, recordPolicy } from "../state/policies.ts";
import type { WrittenPolicy } from "./policy-file.ts";
import type { PolicyDifference } from "./try-policy.ts";
import { differenceInWords, policyDifference } from "./try-policy.ts";

/** How a person wants a policy to be set. */
export interface PolicyWanted {
  readonly file: string;
  readonly force?: true;
  readonly reason?: string;
}

/** What setting a policy would do. */
export interface PolicyPlan extends Plan {
  readonly written: WrittenPolicy;
  readonly difference: PolicyDifference;
}

/**
 * Plans to put a policy in force.
 *
 * @throws UbuntuCiError (2) when it would have let through more than `policy.maxLetThrough` tickets that
 *   were stopped, unless that is forced
 */
export function planPolicy(
  db: Connection,
  config: Config,
  written: WrittenPolicy,
  { file, force }: PolicyWanted,
): PolicyPlan {
  const difference = policyDifference(db, written.policy);
  const { let_through: more } = difference;
  const most = config.get("policy.maxLetThrough");
  if (more.length > most && force !== true)
    throw refused(
      `this policy would have let through ${more.length} tickets that were stopped, and ${most} are allowed (policy.maxLetThrough): ${ticketsInWords(more)}`,
      advice`${remedy("policy diff", [file])} lists them; ${remedy("policy set", [file], { force: true, reason: "TEXT" })} sets it nevertheless`,
    );
  const { policy, set } = policyInForce(db);
  const isSame =
    set !== null &&
    set.text === written.text &&
    isDeepStrictEqual(policy, written.policy);
  return {
    command: "policy set",
    actions: isSame
      ? []
      : [`put the policy in force: ${differenceInWords(difference)}`],
    written,
    difference,
  };
}

/** Puts a policy in force, as it was planned. */
export function setPolicy(
  db: Connection,
  actor: string,
  { written: { policy, text }, difference }: PolicyPlan,
  { force, reason }: PolicyWanted,
): void {
  const given = {
    text,
    by: actor,
    reason: reason ?? null,
    forced: force === true,
  };
  recordPolicy(db, policy, given, differenceInWords(difference));
}

const mostTickets = 10;

function ticketsInWords(tickets: readonly { readonly ticket: number }[]) {
  const shown = tickets.slice(0, mostTickets).map(({ ticket }) => ticket);
  const more = tickets.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
