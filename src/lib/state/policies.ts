import type { Policy } from "../domain/policy.ts";
import { defaultPolicy } from "../domain/policy.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { prepared } from "./database.ts";
import { recordEvent } from "./events.ts";

/** A policy, and who set it; the default one was set by nobody. */
export interface PolicyInForce {
  readonly policy: Policy;
  readonly set: PolicySetting | null;
}

/** How a policy came to be in force. */
export interface PolicySetting {
  readonly id: number;
  /** As it was written, with its comments. */
  readonly text: string;
  readonly by: string;
  readonly at: string;
  readonly reason: string | null;
  /** Whether it was set although it lets more through than is allowed. */
  readonly forced: boolean;
}

interface PolicyRow {
  id: number;
  text: string;
  rules: string;
  actor: string;
  at: string;
  reason: string | null;
  forced: 0 | 1;
}

/** The policy in force, which is the newest. */
export function policyInForce(db: Connection): PolicyInForce {
  const row = prepared<[], PolicyRow>(
    db,
    "SELECT * FROM policy ORDER BY id DESC LIMIT 1",
  ).get();
  if (row === undefined) return { policy: defaultPolicy, set: null };
  const { id, text, rules, actor: by, at, reason, forced } = row;
  return {
    policy: { rules: JSON.parse(rules) as Policy["rules"] },
    set: { id, text, by, at, reason, forced: forced === 1 },
  };
}

/**
 * Puts a policy in force.
 *
 * @param found what it would have decided otherwise, in words
 */
export function recordPolicy(
  db: Connection,
  { rules }: Policy,
  given: Pick<PolicySetting, "text" | "by" | "reason" | "forced">,
  found: string,
): void {
  db.transaction(() => {
    const before = policyInForce(db).set?.id ?? 0;
    const { lastInsertRowid } = db
      .prepare(
        "INSERT INTO policy (text, rules, forced, reason, actor, at) VALUES (?, ?, ?, ?, ?, ?)",
      )
      .run(
        given.text,
        JSON.stringify(rules),
        given.forced ? 1 : 0,
        given.reason,
        given.by,
        now(),
      );
    recordEvent(db, {
      actor: given.by,
      subject: "policy",
      subject_id: Number(lastInsertRowid),
      what: given.forced ? "set by force" : "set",
      from_state: before === 0 ? "default" : String(before),
      to_state: String(lastInsertRowid),
      why: [found, given.reason].filter((part) => part !== null).join(": "),
    });
  }).immediate();
}
