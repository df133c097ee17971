import { describe, expect, test } from "vitest";

import type { Measure } from "./health.ts";
import { judgeAll, nagiosLine, prometheusText, unknownLine } from "./health.ts";
import { adviceText } from "../host/command-line.ts";

const age: Measure = {
  name: "lock_age",
  help: "Age of the oldest lock.",
  unit: "s",
  value: 60,
  warn: 120,
  critical: 600,
  bad: "above",
  words: "land has been running for 1 min",
};
const free: Measure = {
  name: "ppas_free",
  help: "Free PPAs.",
  unit: "",
  value: 2,
  warn: 1,
  critical: null,
  bad: "below",
  max: 4,
  words: "no PPA is free",
};
const failed: Measure = {
  name: "failed",
  help: "Failed tickets.",
  unit: "",
  value: 0,
  warn: 1,
  critical: 5,
  bad: "above",
  words: "ticket 7 failed",
};

const line = (...measures: Measure[]) =>
  nagiosLine(judgeAll(measures, "all is well"), adviceText);

describe("the line of a Nagios plugin", () => {
  test("says in short that all is well, with figures and thresholds", () => {
    expect(line(age, free, failed)).toBe(
      "UBUNTU-CI OK - all is well | 'lock_age'=60s;120;600;0 'ppas_free'=2;1:;;0;4 'failed'=0;0;4;0",
    );
  });

  test("names what is bad, the worst first", () => {
    expect(
      line({ ...age, value: 120 }, { ...failed, value: 5 }, { ...free }),
    ).toMatch(
      /^UBUNTU-CI CRITICAL - ticket 7 failed; land has been running for 1 min \| /,
    );
    expect(line({ ...free, value: 0 })).toMatch(
      /^UBUNTU-CI WARNING - no PPA is free \| /,
    );
  });

  test("keeps to one line and one bar whatever people wrote", () => {
    expect(line({ ...age, value: 700, words: "a|b\nc" })).toBe(
      "UBUNTU-CI CRITICAL - a/b c | 'lock_age'=700s;120;600;0",
    );
    expect(unknownLine("no\nstate")).toBe("UBUNTU-CI UNKNOWN - no state");
  });

  test("leaves out what does not apply", () => {
    expect(line({ ...age, value: null })).toBe("UBUNTU-CI OK - all is well");
  });
});

test("a text file of Prometheus has each figure with its unit, and what check says of it", () => {
  const report = judgeAll([{ ...age, value: 120 }, free], "all is well");
  expect(prometheusText(report, [{ step: 200, status: "running", count: 1 }]))
    .toBe(`# HELP ubuntu_ci_up Whether the state could be looked at.
# TYPE ubuntu_ci_up gauge
ubuntu_ci_up 1
# HELP ubuntu_ci_lock_age_seconds Age of the oldest lock.
# TYPE ubuntu_ci_lock_age_seconds gauge
ubuntu_ci_lock_age_seconds 120
# HELP ubuntu_ci_ppas_free Free PPAs.
# TYPE ubuntu_ci_ppas_free gauge
ubuntu_ci_ppas_free 2
# HELP ubuntu_ci_ppas_free_max Free PPAs. All there is.
# TYPE ubuntu_ci_ppas_free_max gauge
ubuntu_ci_ppas_free_max 4
# HELP ubuntu_ci_health How the worst figure is: 0 ok, 1 warning, 2 critical.
# TYPE ubuntu_ci_health gauge
ubuntu_ci_health{check="lock_age"} 1
ubuntu_ci_health{check="ppas_free"} 0
# HELP ubuntu_ci_tickets Unfinished tickets by step and status.
# TYPE ubuntu_ci_tickets gauge
ubuntu_ci_tickets{step="200",status="running"} 1
`);
  expect(prometheusText(null, [])).toContain("ubuntu_ci_up 0\n");
});
