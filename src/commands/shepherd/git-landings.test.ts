import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { InProcess, saying } from "../../../test/support/in-process.ts";
import type { LandingsReport } from "../../lib/domain/landing.ts";

let ci: InProcess;
let repository: string;

function git(...args: string[]): string {
  return execFileSync("git", ["-C", repository, ...args], {
    encoding: "utf8",
    env: {
      PATH: process.env.PATH,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_AUTHOR_NAME: "Dév",
      GIT_AUTHOR_EMAIL: "dev@example.com",
      GIT_COMMITTER_NAME: "Dév",
      GIT_COMMITTER_EMAIL: "dev@example.com",
    },
  });
}

const commit = (message: string) =>
  git("commit", "-q", "--allow-empty", "-m", message);

async function told(...more: string[]): Promise<LandingsReport> {
  return (await ci.json("landings", ...more)).document as LandingsReport;
}

async function expectDeployable(
  deployable_revision: number | null,
  blocked_by: number | null,
): Promise<void> {
  expect(await told()).toMatchObject({ deployable_revision, blocked_by });
}

beforeAll(async () => {
  ci = await InProcess.init();
  repository = join(ci.root, "project");
  mkdirSync(repository);
  git("init", "-q", "-b", "trunk");
  for (const message of [
    "[testfix] Begin",
    "[r=ann][no-qa] Rename",
    "[r=ann][bug=12] Fix the log-in",
    "[r=ann][incr] First half of the search",
    "[r=ann][bug=13][incr][no-qa] Second half",
  ])
    commit(message);
  git("checkout", "-q", "-b", "side");
  commit("[bug=14] On a side branch, which is no landing");
  git("checkout", "-q", "trunk");
  git("merge", "-q", "--no-ff", "-m", "[bug=14] Merge side", "side");
  commit("No clause at all");
  ci.configure({
    shepherd: { source: "git", repository, branch: "trunk" },
  });
});
afterAll(() => ci.remove());

test("their authors are reminded of those that need testing", async () => {
  const planned = await ci.ok("remind", "--dry-run");
  expect(planned).toMatch(
    /^To: dev@example\.com\nSubject: \[ubuntu-ci\] 4 landings need testing\n/,
  );
  expect(planned).toContain(
    "* landing 3 ([r=ann][bug=12] Fix the log-in) of trunk needs testing\n",
  );
  expect(planned).not.toContain("Rename");
});

test("commits are landings, in the state that their messages say", async () => {
  const { landings, ...status } = await told();
  expect(status).toEqual({
    series: "trunk",
    deployable_revision: 2,
    deployed_revision: null,
    blocked_by: 3,
  });
  expect(
    landings.map(({ revision, qa, orphan }) => [revision, qa, orphan]),
  ).toEqual([
    [1, "untestable", false],
    [2, "untestable", false],
    [3, "needs-testing", false],
    [4, "needs-testing", false],
    [5, "untestable", false],
    [6, "needs-testing", false],
    [7, "needs-testing", true],
  ]);
  expect(landings[2]).toMatchObject({
    commit: git("rev-parse", "trunk~4").trim(),
    title: "[r=ann][bug=12] Fix the log-in",
    bugs: [12],
    owner: "dev@example.com",
    ticket: null,
    sources: [],
  });
  expect(await ci.ok("landings")).toMatch(
    /^7 +needs-testing, orphan .*No clause at all/m,
  );
});

test("each verdict moves the deployable revision, and is kept by the commit", async () => {
  await ci.ok("qa", "3", "ok");
  await expectDeployable(3, 4);
  await ci.ok("qa", "4", "ok", "--note", "searched");
  await expectDeployable(5, 6);
  await ci.ok("qa", "6", "bad");
  await expectDeployable(5, 6);
  await ci.ok("qa", "7", "ok");
  await expectDeployable(5, 6);
  commit("[rollback=6] Take the merge out");
  await expectDeployable(8, null);
  await ci.ok("shepherd-report");
  expect(await ci.ok("log", "-n", "1")).toMatch(
    /deployable.*5.*8.*trunk is at [0-9a-f]{40}, revision 8/,
  );
  expect((await told()).landings[7]).toMatchObject({
    qa: "untestable",
    rollback_of: 6,
    rolls_back: [6],
  });
  commit("[bug=15] Next");
  await expectDeployable(8, 9);
  expect(await ci.ok("explain", "--landing", "9")).toMatch(
    /not deployable[^]*needs-testing[^]*qa 9 ok/,
  );
  // Other commits take the places; the verdicts stay with those that they were about.
  git("reset", "-q", "--hard", "trunk~6");
  commit("[bug=16] Another fourth");
  await expectDeployable(3, 4);
});

test("orphans may pass; what is deployed is a ref of the repository", async () => {
  git("tag", "live", "trunk~1");
  commit("An orphan");
  ci.configure({
    shepherd: {
      source: "git",
      repository,
      branch: "trunk",
      orphans: "pass",
      deployedRef: "live",
    },
  });
  await ci.ok("qa", "4", "ok");
  expect(await told()).toMatchObject({
    deployable_revision: 5,
    deployed_revision: 3,
    landings: [
      { revision: 4 },
      { revision: 5, qa: "untestable", orphan: true },
    ],
  });
});

test.each([
  [{ repository: "/nonexistent" }, "git cannot read /nonexistent"],
  [{ branch: "nosuch" }, "git cannot read"],
  [{ repository: undefined }, "no repository is named"],
])("with %j it is told what is wrong", async (wrong, words) => {
  ci.configure({
    shepherd: { source: "git", repository, branch: "trunk", ...wrong },
  });
  expect(await ci.run("landings")).toMatchObject({
    code: 78,
    stderr: saying(words),
  });
});
