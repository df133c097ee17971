import { expect, test } from "vitest";

import { readSbuildSummary } from "./sbuild-summary.ts";

test("success needs both the exit code and the summary", () => {
  expect(readSbuildSummary("Status: successful\n", 0).outcome).toBe("passed");
  expect(readSbuildSummary("", 0).outcome).toBe("tmpfail");
  expect(readSbuildSummary("Status: successful\n", 1).outcome).toBe("tmpfail");
});

test("a failed compile is the package's fault", () => {
  expect(
    readSbuildSummary("Fail-Stage: build\nStatus: attempted\n", 2),
  ).toEqual({ outcome: "failed", stage: "build", status: "attempted" });
});

test("a chroot that cannot be made is ours", () => {
  expect(
    readSbuildSummary("Fail-Stage: create-session\nStatus: failed\n", 1)
      .outcome,
  ).toBe("tmpfail");
});
