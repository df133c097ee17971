import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { InProcess, saying } from "../../../test/support/in-process.ts";
import type { Landing } from "../../lib/domain/landing.ts";

let base: InProcess;

beforeAll(async () => {
  base = await InProcess.init();
  for (const source of ["one", "two", "three", "four", "five", "six"]) {
    await base.create(source, "1.0");
    await base.ok("land");
  }
});
afterAll(() => base.remove());

async function withVerdicts(
  verdicts: readonly string[],
  use: (ci: InProcess) => Promise<void>,
): Promise<void> {
  const ci = base.copy();
  try {
    for (const [index, verdict] of verdicts.entries())
      await ci.ok("qa", String(index + 1), ...verdict.split(" "));
    await use(ci);
  } finally {
    ci.remove();
  }
}

async function told(ci: InProcess) {
  const { document } = await ci.json("landings");
  const { deployable_revision, blocked_by } = document as Record<
    string,
    unknown
  >;
  return { deployable_revision, blocked_by };
}

const landingsOf = async (ci: InProcess, ...more: string[]) =>
  ((await ci.json("landings", ...more)).document as { landings: Landing[] })
    .landings;

describe("landings", () => {
  test("a published ticket is a landing that needs testing", async () => {
    const { document } = await base.json("landings");
    expect(document).toMatchObject({
      series: "bookworm",
      deployable_revision: null,
      deployed_revision: null,
      blocked_by: 1,
    });
    const all = await landingsOf(base);
    expect(all.map(({ revision }) => revision)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(all[0]).toMatchObject({
      revision: 1,
      ticket: 1,
      series: "bookworm",
      sources: [{ source: "one", version: "1.0" }],
      owner: "dev@example.com",
      qa: "needs-testing",
      rollback_of: null,
      rolls_back: [],
      undone_by: null,
      note: null,
    });
    expect(await base.ok("landings", "--limit", "2")).toMatch(
      /^# +qa +landed +what.*\n5 +needs-testing .* five 1\.0 .*\n6 .*\n\nno revision of bookworm is deployable; nothing is deployed yet\nblocked by landing 1; .*explain --landing 1/,
    );
  });

  test.each<[string, string[], object]>([
    [
      "what needs testing blocks",
      ["ok", "ok", "needs-testing", "ok", "needs-testing"],
      { deployable_revision: 2, blocked_by: 3 },
    ],
    [
      "what is bad blocks",
      ["ok", "ok", "bad", "ok", "needs-testing"],
      { deployable_revision: 2, blocked_by: 3 },
    ],
    [
      "a rollback waits for all before it",
      ["ok", "ok", "bad", "ok", "needs-testing", "ok --rollback 3"],
      { deployable_revision: 2, blocked_by: 5 },
    ],
    [
      "and then both go together",
      ["ok", "ok", "bad", "ok", "untestable", "ok --rollback 3"],
      { deployable_revision: 6, blocked_by: null },
    ],
  ])("%s", async (_name, verdicts, expected) => {
    await withVerdicts(verdicts, async (ci) => {
      expect(await told(ci)).toEqual(expected);
    });
  });

  test("a revert rolls back what it takes out, and needs no testing", async () => {
    await withVerdicts(["ok", "ok", "ok", "ok", "bad", "ok"], async (ci) => {
      expect(await told(ci)).toEqual({ deployable_revision: 4, blocked_by: 5 });
      await ci.ok("archive", "revert", "4", "--reason", "5 breaks logins");
      expect(await told(ci)).toEqual({
        deployable_revision: 7,
        blocked_by: null,
      });
      const all = await landingsOf(ci);
      expect(all[6]).toMatchObject({
        ticket: null,
        qa: "untestable",
        rolls_back: [5, 6],
        sources: [],
      });
      expect(all.map(({ undone_by }) => undone_by)).toEqual([
        null,
        null,
        null,
        null,
        7,
        7,
        null,
      ]);
      expect(await ci.run("qa", "5", "ok")).toMatchObject({
        code: 2,
        stderr: saying("landing 5 was taken out of the archive by landing 7"),
      });
    });
  });

  test("a verdict can end, and the landing needs testing again", async () => {
    await withVerdicts(["ok", "ok", "ok --until 1s"], async (ci) => {
      await expect
        .poll(async () => (await landingsOf(ci))[2], { timeout: 3000 })
        .toMatchObject({ qa: "needs-testing" });
      expect(await told(ci)).toEqual({ deployable_revision: 2, blocked_by: 3 });
    });
  });

  test("explain says why a landing may be deployed or not, and what helps", async () => {
    await withVerdicts(["ok", "bad --note slow", "ok"], async (ci) => {
      expect(await ci.ok("explain", "--landing", "1")).toMatch(
        /landing 1 of bookworm is deployable\n\nbecause\n {2}it is ok, said \S+ at \S+ \S+\n {2}revision 1 is deployable/,
      );
      const { document } = await ci.json("explain", "--landing", "3");
      expect(document).toMatchObject({
        landing: 3,
        deployable: false,
        unblock: saying(/archive undo 2 --reason TEXT/),
        because: [
          saying("it is ok"),
          "landing 2 (two 1.0) is bad, and a revision is deployed with all that it contains",
        ],
      });
    });
  });

  test.each([
    [["qa", "99", "ok"], "nothing landed in revision 99"],
    [["qa", "2", "fine"], "one of needs-testing, ok, bad, untestable"],
    [["qa", "2", "ok", "--rollback", "3"], "no earlier landing"],
    [["qa", "2", "ok", "--rollback", "98"], "nothing landed in revision 98"],
    [["qa", "2", "bad", "--until", "7d"], "does not let it through"],
    [["qa", "2", "ok", "--until", "2020-01-01"], "has passed already"],
    [["landings", "--series", "nosuch"], 'there is no series "nosuch"'],
    [["explain", "--landing", "99"], "nothing landed in revision 99"],
    [["explain"], "name a ticket, or a landing"],
  ])("%j is refused", async (args, words) => {
    expect(await base.run(...args)).toMatchObject({
      code: 2,
      stderr: saying(words),
    });
    expect((await landingsOf(base))[1]?.qa).toBe("needs-testing");
  });

  test("a dry run records nothing; the history has every verdict", async () => {
    expect(await base.ok("qa", "2", "ok", "--dry-run")).toBe(
      "record that landing 2 (two 1.0), needs-testing so far, is ok",
    );
    await withVerdicts(["ok --note tried"], async (ci) => {
      expect(await ci.ok("log", "1")).toContain("ok: tried");
      expect(await ci.ok("log", "-n", "1")).toMatch(
        /deployable.*none.*1.*the archive is at landing 6 of bookworm; landing 1 is ok; landing 2 blocks what is newer/,
      );
    });
    expect((await landingsOf(base))[1]?.qa).toBe("needs-testing");
  });
});
