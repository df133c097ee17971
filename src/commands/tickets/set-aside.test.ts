import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  expect,
  test,
} from "vitest";

import { InProcess } from "../../../test/support/in-process.ts";

/** Tickets that need a person: they leave their place to others, and say what helps. */
let template: InProcess;
let ci: InProcess;

beforeAll(async () => {
  template = await InProcess.init();
});
afterAll(() => template.remove());
beforeEach(() => {
  ci = template.copy();
});
afterEach(() => ci.remove());

const container = (id: number) => join(ci.state, "store", `ticket.${id}`);

/** Ticket 1 has lost its files; ticket 2 comes after it. */
async function lost(): Promise<void> {
  await ci.create("one");
  await ci.create("two");
  renameSync(container(1), join(ci.root, "away"));
}

test("one whose files are missing is set aside, and the next one lands in the same pass", async () => {
  await lost();
  const { code, stderr } = await ci.run("land");
  expect(code).toBe(78);
  expect(stderr).toContain(
    "ticket 1: set aside at assign-ppa: files of ticket 1 are missing from the data store, or have another size: ticket.1/one_1.0_source.changes",
  );
  expect(await ci.ticket(1)).toMatchObject({
    status: "set-aside",
    step: { code: 100 },
    ppa: null,
    queue_position: null,
    subtickets: [{ status: "set-aside", step: { code: 100 } }],
    failure: null,
  });
  expect((await ci.ticket(2)).status).toBe("done");
  expect((await ci.run("land")).code).toBe(0);
});

test("explain, check and the steps say why, and the command that helps", async () => {
  await lost();
  await ci.run("land");
  const { document } = await ci.json("explain", "1");
  expect(document).toMatchObject({ blocked: true, next: null });
  expect(JSON.stringify(document)).toContain("restore FILE");
  const check = await ci.run("check");
  expect(check.code).toBe(1);
  expect(check.stdout).toContain(
    "WARNING - ticket 1 is set aside at Queued: files of ticket 1 are missing",
  );
  for (const command of ["land", "build-source"])
    expect(await ci.run(command, "--ticket", "1")).toMatchObject({
      code: 78,
      stderr: expect.stringContaining(
        "ticket 1 is set aside: files of",
      ) as string,
    });
  expect((await ci.run("retry", "1")).code).toBe(78);
  expect((await ci.run("update_ticket", "1", "--queue")).code).toBe(2);
});

test("it goes on after retry, once its files are back", async () => {
  await lost();
  await ci.run("land");
  rmSync(container(1), { recursive: true, force: true });
  renameSync(join(ci.root, "away"), container(1));
  await ci.ok("retry", "1");
  await ci.ok("land");
  expect(await ci.ticket(1)).toMatchObject({
    status: "done",
    set_aside: null,
    waiting_for: null,
  });
});

test("it can be cancelled, and is told as cancelled then", async () => {
  await lost();
  await ci.run("land");
  await ci.ok("cancel", "1", "--reason", "not wanted");
  expect(await ci.ticket(1)).toMatchObject({ status: "cancelled" });
  expect((await ci.run("check")).code).toBe(0);
});

test("a ticket that is not queued yet is a draft, until it is queued or held", async () => {
  await ci.create("one", "1.0", "--wait");
  expect((await ci.ticket(1)).status).toBe("draft");
  expect((await ci.json("explain", "1")).document).toMatchObject({
    because: ["it is a draft: it was created with --wait"],
  });
  await ci.ok("update_ticket", "1", "--hold");
  expect((await ci.ticket(1)).status).toBe("held");
  await ci.ok("update_ticket", "1", "--queue");
  expect((await ci.ticket(1)).status).toBe("waiting");
});
