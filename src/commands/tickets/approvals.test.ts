import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  expect,
  test,
} from "vitest";

import { InProcess, saying } from "../../../test/support/in-process.ts";

/** Tickets that would do something to others: they are set aside until somebody allows it. */
let template: InProcess;
let ci: InProcess;
const config = { fake: { distribution: ["sl 5.02", "less 590 less pager"] } };

beforeAll(async () => {
  template = await InProcess.init(config);
});
afterAll(() => template.remove());
beforeEach(() => {
  ci = template.copy(config);
});
afterEach(() => ci.remove());

test("a version below the distribution's own is set aside at once, its number printed", async () => {
  const created = await ci.run(
    "create_ticket",
    "-t",
    "x",
    "-s",
    ci.upload("sl"),
  );
  expect(created).toMatchObject({
    code: 0,
    stdout: "1\n",
    stderr: saying("sl 1.0 is below the distribution's own, 5.02"),
  });
  expect(await ci.ticket(1)).toMatchObject({
    status: "set-aside",
    set_aside: "approval",
    step: { code: 100 },
  });
  for (const command of [["land"], ["assign-ppa"]])
    expect(await ci.run(...command, "--ticket", "1")).toMatchObject({
      code: 2,
      stderr: saying("override 1 --allow-older --reason TEXT"),
    });
  expect((await ci.json("explain", "1")).document).toMatchObject({
    unblock: saying("override 1 --allow-older --reason TEXT"),
  });
  expect((await ci.run("override", "1", "--allow-older")).code).toBe(2);
  await ci.ok("override", "1", "--allow-older", "--reason", "5.02 is broken");
  await ci.ok("land");
  expect(await ci.ticket(1)).toMatchObject({
    status: "done",
    overrides: [{ kind: "older", target: "", reason: "5.02 is broken" }],
  });
  expect(await ci.ok("override", "1")).toMatch(/^1 {2}allow-older {2}by /);
});

test("one at or above it is not", async () => {
  await ci.create("sl", "5.02");
  await ci.create("less", "591");
  await ci.ok("land");
  expect((await ci.ticket(1)).status).toBe("done");
  expect((await ci.ticket(2)).status).toBe("done");
});

test("a binary package of the distribution's is not taken over unasked, and not built before", async () => {
  await ci.create("pager");
  const { code, stderr } = await ci.run("land");
  expect(code).toBe(2);
  expect(stderr).toContain(
    "pager builds the binary package pager, which belongs to source less of the distribution",
  );
  expect(await ci.ticket(1)).toMatchObject({
    status: "set-aside",
    set_aside: "approval",
    step: { code: 200 },
    ppa: null,
  });
  expect(await ci.run("build-source", "--ticket", "1")).toMatchObject({
    code: 2,
    stderr: saying("override 1 --allow-takeover pager --reason TEXT"),
  });
  expect(
    await ci.run("override", "1", "--allow-takeover", "sl", "--reason", "x"),
  ).toMatchObject({ code: 2, stderr: saying('builds no binary package "sl"') });
  const allow = ["override", "1", "--allow-takeover", "pager", "--reason", "x"];
  expect(await ci.ok(...allow, "--dry-run")).toContain(
    "queue it again, to go on at Package Building",
  );
  await ci.ok(...allow);
  expect((await ci.ticket(1)).status).toBe("waiting");
  await ci.ok("land");
  expect((await ci.ticket(1)).status).toBe("done");
  // It is its own from then on.
  await ci.create("pager", "1.1");
  await ci.ok("land");
  expect((await ci.ticket(2)).status).toBe("done");
});

test("what was allowed and is taken back holds it again, before publication", async () => {
  await ci.create("pager");
  await ci.run("land");
  await ci.ok("override", "1", "--allow-takeover", "pager", "--reason", "x");
  await ci.ok("land", "--until", "run-tests");
  await ci.ok("override", "1", "--undo");
  expect((await ci.run("land")).code).toBe(2);
  expect(await ci.ticket(1)).toMatchObject({
    status: "set-aside",
    step: { code: 500 },
  });
  await ci.ok("override", "1", "--allow-takeover", "pager", "--reason", "y");
  await ci.ok("land");
  expect(await ci.ticket(1)).toMatchObject({
    status: "done",
    archive_revision: 1,
  });
});
