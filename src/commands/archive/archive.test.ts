import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { InProcess, saying } from "../../../test/support/in-process.ts";

let ci: InProcess;

beforeAll(async () => {
  ci = await InProcess.init();
  for (const version of ["1.0", "1.1"]) {
    await ci.create("hello", version);
    await ci.ok("land");
  }
});
afterAll(() => ci.remove());

describe("archive", () => {
  test("list tells every revision, why it was made, and which is current", async () => {
    expect((await ci.ok("archive")).split("\n")).toEqual([
      saying(/^0 {2}20\S+ \S+Z {2}init$/),
      saying(
        /^1 {2}20\S+ \S+Z {2}ticket 1 {2}\+hello 1\.0 {2}dev@example\.com: land hello$/,
      ),
      saying(
        /^2 {2}20\S+ \S+Z {2}ticket 2 {2}hello 1\.1 \(was 1\.0\) {2}dev@example\.com: land hello {2}current$/,
      ),
    ]);
    expect((await ci.json("archive", "list")).document).toMatchObject({
      current: 2,
      revisions: [
        { revision: 0, by: null, changes: [] },
        { ticket: 1, by: "dev@example.com", why: "land hello" },
        { ticket: 2, changes: [{ source: "hello", from: "1.0", to: "1.1" }] },
      ],
    });
  });

  test("show tells what a revision publishes", async () => {
    expect(await ci.ok("archive", "show", "0")).toBe("empty");
    expect(await ci.ok("archive", "show", "1")).toBe(
      "bookworm  source  hello  1.0  source\nbookworm  binary  hello  1.0  amd64",
    );
    expect(await ci.run("archive", "show", "9")).toMatchObject({
      code: 2,
      stderr: saying(/there is no revision 9\n.*archive list/),
    });
  });

  test("revert publishes the contents of an older one again, and is recorded", async () => {
    const back = (...more: string[]) => [
      ...["archive", "revert", "1", "--reason", "it breaks logins", ...more],
    ];
    expect(await ci.ok(...back("--dry-run"))).toBe(
      "make a new revision with the contents of revision 1, the one that clients see",
    );
    expect(await ci.ok("archive", "list")).not.toContain("back to");
    expect(await ci.ok(...back())).toBe("3");
    expect(await ci.ok(...back())).toBe("3");
    expect(await ci.ok("archive", "list")).toMatch(
      /^3 {2}20\S+ \S+Z {2}back to 1 {2}hello 1\.0 \(was 1\.1\) {2}\S+@\S+: back to revision 1: it breaks logins {2}current$/m,
    );
    expect(await ci.run("archive", "revert", "1")).toMatchObject({
      code: 2,
      stderr: saying("required option '--reason <text>'"),
    });
    expect(await ci.ok("archive", "show", "3")).toContain("hello  1.0");
    expect(await ci.ok("log", "-n", "5")).toMatch(/archive/);
    // What was reverted is not in the way of a newer version, nor is the old version one.
    expect(await ci.create("hello", "1.2")).toBe("3");
    await ci.ok("land");
    expect((await ci.ticket(3)).archive_revision).toBe(4);
    expect(
      await ci.run("archive", "revert", "9", "--reason", "typed wrong"),
    ).toMatchObject({ code: 2, stderr: saying("no revision 9") });
  });

  test("what a revert took out is told so, until it is brought back", async () => {
    const undone = async () => {
      const all: (number | null)[] = [];
      for (const id of [1, 2, 3]) all.push((await ci.ticket(id)).undone_by);
      return all;
    };
    const back = (revision: number) =>
      ci.ok("archive", "revert", String(revision), "--reason", "a test");
    expect(await undone()).toEqual([null, 3, null]);
    expect(await ci.ok("status", "2")).toContain(
      "published as archive revision 2, taken out by revision 3",
    );
    expect((await ci.json("explain", "2")).document).toMatchObject({
      blocked: false,
      because: [
        "it was published as archive revision 2, and revision 3 took it out of the archive again",
      ],
    });
    expect(await back(0)).toBe("5");
    expect(await undone()).toEqual([5, 3, 5]);
    expect(await back(4)).toBe("6");
    expect(await undone()).toEqual([null, 3, null]);
    await ci.ok("shepherd-report");
    expect(await back(2)).toBe("7");
    expect(await undone()).toEqual([null, null, 7]);
    await ci.ok("shepherd-report");
    expect(
      readFileSync(join(ci.state, "report/tickets/3/index.html"), "utf8"),
    ).toContain("4, taken out by revision 7");
  });

  test("a version that was taken out can be uploaded again, one that is there cannot", async () => {
    expect(
      await ci.run("create_ticket", "-t", "x", "-s", ci.upload("hello", "1.1")),
    ).toMatchObject({
      code: 2,
      stderr: saying("not higher than 1.1, which the archive"),
    });
    await ci.ok("archive", "revert", "0", "--reason", "begin again");
    expect(await ci.create("hello", "1.0")).toBe("4");
    await ci.ok("land");
    expect(await ci.ticket(4)).toMatchObject({
      status: "done",
      undone_by: null,
    });
    expect((await ci.ticket(1)).undone_by).toBe(8);
  });

  test("a word that is no verb is refused", async () => {
    expect(await ci.run("archive", "burn")).toMatchObject({
      code: 2,
      stderr: saying(
        'archive has no verb "burn", only list, show, undo, revert',
      ),
    });
  });
});

test("an archive that is not signed has no key to rotate, and is signed anew without a word", async () => {
  expect(await ci.run("archive", "rotate-key")).toMatchObject({
    code: 2,
    stderr: saying("the archive is not signed"),
  });
  const revisions = await ci.ok("archive", "list");
  expect(await ci.ok("archive", "resign")).toBe("not signed");
  expect(await ci.ok("archive", "list")).toBe(revisions);
});

describe("apt-source", () => {
  test("prints a stanza of the archive, or of a ticket's PPA", async () => {
    expect(await ci.ok("apt-source")).toMatch(
      /^Types: deb[^]*Suites: bookworm[^]*Signed-By:/,
    );
    await ci.create("other");
    await ci.ok("land", "--until", "build-source");
    const { ppa } = await ci.ticket(5);
    expect(await ci.ok("apt-source", ppa ?? "")).toContain(`/ppa/${ppa ?? ""}`);
    expect((await ci.json("apt-source")).document).toMatchObject({
      name: "archive",
      series: "bookworm",
    });
  });

  test("of the archive needs no base, as after a restore", async () => {
    const restored = ci.copy({ series: [] });
    try {
      expect(await restored.ok("apt-source")).toContain("Suites: bookworm");
    } finally {
      restored.remove();
    }
  });

  test("is refused where nothing is published", async () => {
    expect(await ci.run("apt-source", "tea")).toMatchObject({
      code: 2,
      stderr: saying('there is no PPA "tea"'),
    });
    expect(await ci.run("apt-source", "--series", "tea")).toMatchObject({
      code: 2,
      stderr: saying("known: bookworm"),
    });
    expect(await ci.run("apt-source", "ci_pool-002")).toMatchObject({
      code: 2,
      stderr: saying("ci_pool-002 is free: it publishes nothing"),
    });
  });
});
