import { expect, test } from "vitest";

import type { FailedTicket } from "./failure-groups.ts";
import { failureGroups } from "./failure-groups.ts";

let count = 0;
const failed = (
  reason: string,
  kind: FailedTicket["kind"] = "package",
): FailedTicket => ({
  ticket: (count += 1),
  title: "",
  owner: "dev@example.com",
  series: "bookworm",
  kind,
  step: "Package Building",
  reason,
  at: `2026-01-${String(30 - count).padStart(2, "0")}`,
});

test("the same reason of other packages and runs is one, whoever is at fault", () => {
  const groups = failureGroups([
    failed("hello 2.10-3: src/a.c:12:3: error: x undeclared"),
    failed("dash 0.5: no space left on /tmp/run.17/x", "infrastructure"),
    failed("bash 5.2: src/a.c:99:1: error: x undeclared"),
    failed("zsh 5.9: no space left on /srv/run.18/y", "infrastructure"),
    failed("curl 8.1: src/a.c:1:1: error: x undeclared", "infrastructure"),
    failed("tar 1.3: src/a.c:7:7: error: x undeclared"),
  ]);
  expect(
    groups.map(({ kind, reason, tickets }) => [kind, reason, tickets.length]),
  ).toEqual([
    ["package", "hello 2.10-3: src/a.c:12:3: error: x undeclared", 3],
    ["infrastructure", "dash 0.5: no space left on /tmp/run.17/x", 2],
    ["infrastructure", "curl 8.1: src/a.c:1:1: error: x undeclared", 1],
  ]);
});

test("nothing failed", () => {
  expect(failureGroups([])).toEqual([]);
});
