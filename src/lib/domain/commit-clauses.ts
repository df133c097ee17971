import type { QaState } from "./landing.ts";

/**
 * What a commit message says about its QA, in clauses such as `[no-qa]`, `[incr]`, `[rollback=43]`,
 * `[testfix]` and `[bug=12,13]` on its first line (those of Launchpad's qa-tagger).
 */
export interface CommitClauses {
  readonly testfix: boolean;
  readonly noQa: boolean;
  readonly incremental: boolean;
  readonly rollbackOf: number | null;
  readonly bugs: readonly number[];
}

/** Reads the clauses of a commit message; what is no such clause is text. */
export function commitClauses(message: string): CommitClauses {
  const [subject = ""] = message.split("\n", 1);
  const clauses = new Map<string, string>();
  for (const [, name = "", value = ""] of subject.matchAll(
    /\[([a-z-]{1,20})(?:=([\d,]{1,200}))?\]/g,
  ))
    clauses.set(name, value);
  const rollback = /^\d{1,9}$/.exec(clauses.get("rollback") ?? "");
  return {
    testfix: clauses.has("testfix"),
    noQa: clauses.has("no-qa"),
    incremental: clauses.has("incr"),
    rollbackOf: rollback === null ? null : Number(rollback[0]),
    bugs: (clauses.get("bug") ?? "").split(",").filter(Boolean).map(Number),
  };
}

/**
 * The QA state of a commit on which nobody has given a verdict.
 *
 * @param orphans whether a commit with neither bug nor clause blocks, or passes
 * @returns orphan: it is such a commit
 */
export function stateOfCommit(
  { testfix, noQa, incremental, rollbackOf, bugs }: CommitClauses,
  orphans: "block" | "pass",
): { readonly qa: QaState; readonly orphan: boolean } {
  if (testfix || noQa || rollbackOf !== null)
    return { qa: "untestable", orphan: false };
  if (incremental || bugs.length > 0)
    return { qa: "needs-testing", orphan: false };
  return {
    qa: orphans === "block" ? "needs-testing" : "untestable",
    orphan: true,
  };
}
