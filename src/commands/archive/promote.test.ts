import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import { afterEach } from "vitest";

import { InProcess, saying } from "../../../test/support/in-process.ts";
import type { LandingsReport } from "../../lib/domain/landing.ts";

let base: InProcess;
let ci: InProcess;

beforeAll(async () => {
  base = await InProcess.init();
  for (const [source, version] of [
    ["one", "1.0"],
    ["two", "1.0"],
    ["one", "1.1"],
    ["three", "1.0"],
  ] as const) {
    await base.create(source, version);
    await base.ok("land");
  }
});
afterAll(() => base.remove());
beforeEach(() => {
  ci = base.copy();
});
afterEach(() => ci.remove());

const because = ["--reason", "it breaks logins"];

async function told(): Promise<LandingsReport> {
  return (await ci.json("landings", "--all")).document as LandingsReport;
}

describe("undo", () => {
  test("takes a landing out and keeps the later ones, and every face says so", async () => {
    for (const revision of ["1", "2", "4"]) await ci.ok("qa", revision, "ok");
    await ci.ok("qa", "3", "bad");
    expect(await ci.ok("archive", "undo", "3", ...because, "--dry-run")).toBe(
      "make one in bookworm what they were before revision 3, in a new revision\nclients that have the newer packages keep them: apt goes back only when it is told to",
    );
    expect(await ci.ok("archive", "undo", "3", ...because)).toBe("5");
    expect(await ci.ok("archive", "show", "5")).toMatch(
      /source {2}one {2}1\.0/,
    );
    expect(await ci.ok("archive", "show", "5")).toContain("three");
    expect(await ci.ok("archive", "list")).toMatch(
      /^5 .*without 3 .*one 1\.0 \(was 1\.1\).*it breaks logins.*current$/m,
    );
    expect(await ci.ticket(3)).toMatchObject({ undone_by: 5 });
    expect(await ci.ticket(4)).toMatchObject({ undone_by: null });
    const { landings, ...status } = await told();
    expect(status).toMatchObject({ deployable_revision: 5, blocked_by: null });
    expect(landings[4]).toMatchObject({
      ticket: null,
      qa: "untestable",
      rolls_back: [3],
    });
    expect(await ci.ok("explain", "3")).toContain("took it out of the archive");
    await ci.ok("shepherd-report");
    expect(
      readFileSync(join(ci.state, "report/landings/index.html"), "utf8"),
    ).toContain("without revision 3");
    // What was taken out can be uploaded again; what came back cannot.
    expect(
      await ci.run("create_ticket", "-t", "x", "-s", ci.upload("one", "1.0")),
    ).toMatchObject({ code: 2, stderr: saying("not higher than 1.0") });
    expect(await ci.create("one", "1.1")).toBe("5");
  });

  test("what landed on top stays; what is gone already is refused", async () => {
    expect(await ci.run("archive", "undo", "1", ...because)).toMatchObject({
      code: 2,
      stderr: saying(
        "nothing of revision 1 is there as it was: one changed since",
      ),
    });
    expect(await ci.ok("archive", "undo", "2", ...because)).toBe("5");
    expect(await ci.ok("archive", "undo", "2", ...because)).toBe("5");
    expect(await ci.ok("archive", "show", "5")).not.toContain("two");
    expect(await ci.run("archive", "undo", "9", ...because)).toMatchObject({
      code: 2,
      stderr: saying("there is no revision 9"),
    });
    expect(await ci.run("archive", "undo", "2")).toMatchObject({ code: 2 });
    // An undo can be undone.
    expect(await ci.ok("archive", "undo", "5", ...because)).toBe("6");
    expect(await ci.ok("archive", "show", "6")).toContain("two");
    expect((await ci.ticket(2)).undone_by).toBeNull();
  });
});

describe("promote", () => {
  test("shows the deployable revision, and keeps it", async () => {
    expect(await ci.run("archive", "promote")).toMatchObject({
      code: 2,
      stderr: saying("no revision of bookworm is deployable"),
    });
    expect(await ci.run("apt-source", "--stable")).toMatchObject({
      code: 2,
      stderr: saying("nothing of bookworm was promoted yet"),
    });
    for (const revision of ["1", "2"]) await ci.ok("qa", revision, "ok");
    expect(await ci.ok("archive", "promote", "--dry-run")).toBe(
      "have bookworm-stable show revision 2, its first",
    );
    expect((await told()).deployed_revision).toBeNull();
    expect(await ci.ok("archive", "promote")).toBe(
      "bookworm-stable shows revision 2",
    );
    expect(await ci.ok("archive", "promote")).toContain("revision 2");
    expect(existsSync(join(ci.state, "archive/dists/bookworm-stable"))).toBe(
      true,
    );
    expect(await told()).toMatchObject({
      deployed_revision: 2,
      deployable_revision: 2,
    });
    expect((await ci.json("landings")).document).toMatchObject({
      landings: [{ revision: 3 }, { revision: 4 }],
    });
    expect(await ci.ok("apt-source", "--stable")).toContain("bookworm-stable");
    // It is no series.
    expect(
      await ci.run("landings", "--series", "bookworm-stable"),
    ).toMatchObject({ code: 2 });
    expect((await ci.json("log", "-n", "1")).document).toMatchObject({
      events: [{ what: "promoted", to: "2" }],
    });
  });

  test.each([
    [["3"], "not deployable: landing 3 (one 1.1) is needs-testing"],
    [["9"], "nothing landed in bookworm with revision 9"],
    [["--series", "nosuch"], "there is no series"],
    [["3", "--force"], "--force needs a reason"],
  ])("%j is refused", async (args, words) => {
    for (const revision of ["1", "2"]) await ci.ok("qa", revision, "ok");
    expect(await ci.run("archive", "promote", ...args)).toMatchObject({
      code: 2,
      stderr: saying(words),
    });
    expect((await told()).deployed_revision).toBeNull();
  });

  test("a reverted revision is refused; force has a reason that is told", async () => {
    for (const revision of ["1", "2", "3", "4"])
      await ci.ok("qa", revision, "ok");
    await ci.ok("archive", "revert", "2", ...because);
    expect(await ci.run("archive", "promote", "4")).toMatchObject({
      code: 2,
      stderr: saying("landing 5 took it out of the archive again"),
    });
    await ci.ok("archive", "promote", "4", "--force", "--reason", "a test");
    expect((await told()).deployed_revision).toBe(4);
    expect(await ci.ok("log", "-n", "1")).toMatch(/promoted by force.*a test/);
  });
});
