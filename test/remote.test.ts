import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { fakeBackends, Installation, program } from "./support/program.ts";

/** The whole program with a builder whose jobs are looked at once an hour, until they have ended. */
let ci: Installation;

beforeEach(() => {
  ci = new Installation({
    ...fakeBackends,
    retry: { firstDelaySeconds: 0 },
    fake: { builder: "remote@2@3600" },
  });
  ci.ok("init");
  ci.addUploader();
  ci.ok(
    "create_ticket",
    "-t",
    "hello",
    "-s",
    ci.upload("hello", "1.0", program("hello")),
  );
});
afterEach(() => ci.remove());

const jobs = () => {
  const folder = join(ci.state, ".fake-remote");
  return readdirSync(folder)
    .filter((name) => !name.startsWith("."))
    .map((name) => {
      const { submitted, state } = JSON.parse(
        readFileSync(join(folder, name), "utf8"),
      ) as { submitted: number; state: string };
      return `${submitted} ${state}`;
    });
};

test("a build that somebody else's engine does takes several passes, and survives kills", () => {
  for (const point of ["job.begun", "job.submitted"]) {
    ci.env["UBUNTU_CI_CRASH_AT"] = point;
    expect(ci.run("land").code).toBe(null);
    ci.env["UBUNTU_CI_CRASH_AT"] = "";
  }
  const first = ci.run("land", "-v", "2");
  expect(first.code).toBe(75);
  expect(first.stderr).toContain("build-source pending: job");
  expect(ci.run("land", "-v", "2").stderr).toContain("nothing to do");
  const { pending, waiting_for: why } = ci.ticket("1");
  expect(pending).toMatchObject({ of: "the fake builder" });
  // People read times in seconds.
  expect(ci.ok("status", "1")).toContain(
    why?.replace(/T([\d:]+)\.\d+Z$/, " $1Z"),
  );
  expect(ci.ok("explain", "1")).toContain("build-source is pending: job");
  expect(ci.ok("log", "1")).toContain("pending");
  ci.ok("shepherd-report");
  expect(
    readFileSync(join(ci.state, "report/tickets/1/index.html"), "utf8"),
  ).toContain("pending: job");
  expect(ci.ok("retry", "1", "--dry-run")).toContain("the next look at job");
  ci.ok("retry", "1");
  ci.run("land");
  ci.ok("retry", "1");
  ci.ok("land");
  expect(ci.ticket("1").status).toBe("done");
  expect(jobs()).toEqual(["1 ended"]);
});

test("cancelling a pending ticket cancels its job, by the next pass if need be", () => {
  ci.run("land");
  ci.env["UBUNTU_CI_CRASH_AT"] = "cancel.asked";
  expect(ci.run("cancel", "1").code).toBe(null);
  ci.env["UBUNTU_CI_CRASH_AT"] = "";
  expect(ci.ticket("1").step.code).toBe(999);
  expect(jobs()).toEqual(["1 at work"]);
  ci.ok("land");
  expect(jobs()).toEqual(["1 cancelled"]);
  expect(ci.ok("log", "1")).toContain("job cancelled");
});
