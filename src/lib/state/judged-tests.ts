import { isOver, verdictOf } from "../domain/override.ts";
import type {
  JudgedTest,
  Outcome,
  Override,
  OverrideKind,
  TestResult,
} from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "./database.ts";
import { prepared } from "./database.ts";

/** The tests of a ticket's last run of them. */
export function testsOf(
  db: Connection,
  ticket: number,
  overrides: readonly Override[],
): JudgedTest[] {
  return prepared<
    [number, number],
    Omit<TestResult, "state"> & {
      state: NonNullable<TestResult["state"]> | null;
      outcome: Outcome | null;
    }
  >(
    db,
    `SELECT package, name, result, seconds, detail, state,
         (SELECT outcome FROM run WHERE id = test_result.run) AS outcome FROM test_result
       WHERE ticket = ? AND run = (SELECT max(run) FROM test_result WHERE ticket = ?) ORDER BY id`,
  )
    .all(ticket, ticket)
    .map(({ state, outcome, ...test }) => ({
      ...test,
      ...(state !== null && { state }),
      verdict: verdictOf(test, outcome, overrides),
    }));
}

/** All overrides of a ticket, oldest first, including those in force no longer. */
export function overridesOf(db: Connection, ticket: number): Override[] {
  const at = now();
  return prepared<
    [number],
    {
      id: number;
      kind: OverrideKind;
      target: string;
      reason: string;
      actor: string;
      created_at: string;
      until: string | null;
      undone_at: string | null;
      undone_by: string | null;
    }
  >(db, "SELECT * FROM override WHERE ticket = ? ORDER BY id")
    .all(ticket)
    .map(({ id, kind, target, reason, ...row }) => ({
      id,
      kind,
      target,
      reason,
      by: row.actor,
      at: row.created_at,
      until: row.until,
      ended: isOver(row, at),
      undone:
        row.undone_at === null
          ? null
          : { at: row.undone_at, by: row.undone_by ?? "" },
    }));
}
