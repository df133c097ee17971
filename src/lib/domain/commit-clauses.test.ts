import { expect, test } from "vitest";

import { commitClauses, stateOfCommit } from "./commit-clauses.ts";

const state = (message: string, orphans: "block" | "pass" = "block") =>
  stateOfCommit(commitClauses(message), orphans);

test.each([
  ["[r=ann][bug=12,13] Fix it", "needs-testing", false],
  ["[r=ann][bug=12][no-qa] Fix it", "untestable", false],
  ["[incr] First half", "needs-testing", false],
  ["[bug=12][incr] First half", "needs-testing", false],
  ["[no-qa][incr] First half", "untestable", false],
  ["[testfix] Repair the tests", "untestable", false],
  ["[rollback=43] Take it out", "untestable", false],
  ["Tidy up", "needs-testing", true],
  [
    "Tidy up\n\n[no-qa] is only looked for on the first line",
    "needs-testing",
    true,
  ],
  ["[rollback=soon] Take it out", "needs-testing", true],
  ["[bug=] Fix it", "needs-testing", true],
])("%j is %s", (message, qa, orphan) => {
  expect(state(message)).toEqual({ qa, orphan });
});

test("commits without bug or clause can be let pass", () => {
  expect(state("Tidy up", "pass")).toEqual({ qa: "untestable", orphan: true });
});

test("clauses have values", () => {
  expect(commitClauses("[testfix][bug=1,22][rollback=7] x")).toEqual({
    testfix: true,
    noQa: false,
    incremental: false,
    rollbackOf: 7,
    bugs: [1, 22],
  });
});
