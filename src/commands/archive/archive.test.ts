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
      saying(/^1 {2}20\S+ \S+Z {2}ticket 1$/),
      saying(/^2 {2}20\S+ \S+Z {2}ticket 2 {2}current$/),
    ]);
    expect((await ci.json("archive", "list")).document).toMatchObject({
      current: 2,
      revisions: [{ revision: 0 }, { ticket: 1 }, { ticket: 2 }],
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
    expect(await ci.ok("archive", "revert", "1", "--dry-run")).toBe(
      "make a new revision with the contents of revision 1, the one that clients see",
    );
    expect(await ci.ok("archive", "list")).not.toContain("back to");
    expect(await ci.ok("archive", "revert", "1")).toBe("3");
    expect(await ci.ok("archive", "list")).toMatch(
      /^3 {2}20\S+ \S+Z {2}back to 1 {2}current$/m,
    );
    expect(await ci.ok("archive", "show", "3")).toContain("hello  1.0");
    expect(await ci.ok("log", "-n", "5")).toMatch(/archive/);
    // What was reverted is not in the way of a newer version, nor is the old version one.
    expect(await ci.create("hello", "1.2")).toBe("3");
    await ci.ok("land");
    expect((await ci.ticket(3)).archive_revision).toBe(4);
    expect(await ci.run("archive", "revert", "9")).toMatchObject({
      code: 2,
      stderr: saying("9"),
    });
  });

  test("a word that is no verb is refused", async () => {
    expect(await ci.run("archive", "burn")).toMatchObject({
      code: 2,
      stderr: saying('archive has no verb "burn", only list, show, revert'),
    });
  });
});

describe("apt-source", () => {
  test("prints a stanza of the archive, or of a ticket's PPA", async () => {
    expect(await ci.ok("apt-source")).toMatch(
      /^Types: deb[^]*Suites: bookworm[^]*Signed-By:/,
    );
    await ci.create("other");
    await ci.ok("land", "--until", "build-source");
    const { ppa } = await ci.ticket(4);
    expect(await ci.ok("apt-source", ppa ?? "")).toContain(`/ppa/${ppa ?? ""}`);
    expect((await ci.json("apt-source")).document).toMatchObject({
      name: "archive",
      series: "bookworm",
    });
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
