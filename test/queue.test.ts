import { once } from "node:events";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Ticket } from "../src/lib/domain/ticket.ts";
import { Installation, program } from "./support/program.ts";

/** Who may run when, and what is said about it: the whole program on fake backends. */
const fakes = {
  series: ["bookworm"],
  builder: "fake",
  imager: "fake",
  tester: "fake",
  archiveKeeper: "fake",
  retry: { firstDelaySeconds: 0 },
};

let ci: Installation;

function install(config: object): void {
  ci = new Installation({ ...fakes, ...config });
  ci.ok("init");
  ci.addUploader();
}

const create = (names: string | string[], version = "1.0", ...more: string[]) =>
  ci.ok(
    "create_ticket",
    "-t",
    `land ${String(names)}`,
    ...[names]
      .flat()
      .flatMap((name) => ["-s", ci.upload(name, version, program(name))]),
    ...more,
  );

async function ended(child: ReturnType<Installation["start"]>) {
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stderr };
}

function built({ runs }: Ticket): readonly [number, number] {
  const run = runs.find(({ step }) => step.code === 200);
  if (run?.finished_at == null) throw new Error("it was not built");
  return [Date.parse(run.started_at), Date.parse(run.finished_at)];
}

const overlap = (
  [from, to]: readonly [number, number],
  [otherFrom, otherTo]: readonly [number, number],
) => from < otherTo && otherFrom < to;

afterEach(() => ci.remove());

describe("tickets side by side", () => {
  beforeEach(() =>
    install({
      concurrency: 2,
      fake: { builder: "slow@700,big=slow@60000,huge=slow@60000" },
    }),
  );

  test("land works on as many tickets as may be in flight, and on those that waited behind them", () => {
    create("one");
    create("two");
    create("three");
    const { code, stderr } = ci.run("land", "-v", "2");
    expect(code).toBe(0);
    expect(stderr).toContain("ticket 3: publish passed: archive revision 3");
    const [one, two, three] = ["1", "2", "3"].map((id) => ci.ticket(id));
    if (one === undefined || two === undefined || three === undefined)
      throw new Error("a ticket is missing");
    expect([one.status, two.status, three.status]).toEqual([
      "done",
      "done",
      "done",
    ]);
    expect(overlap(built(one), built(two))).toBe(true);
    expect(
      [one, two, three].map((ticket) => ticket.archive_revision).sort(),
    ).toEqual([1, 2, 3]);
    expect(ci.ok("ppa", "list")).not.toMatch(/reserved|dirty|cleaning/);
  });

  test("tickets with a source package in common land one after the other, in the order of the queue", () => {
    create("one");
    create(["one", "two"], "2.0");
    create("two", "3.0");
    ci.ok("land");
    const [one, both, two] = ["1", "2", "3"].map((id) => ci.ticket(id));
    expect([one, both, two].map((t) => t?.archive_revision)).toEqual([1, 2, 3]);
  });

  test("a step command takes the next free ticket while another copy works, and no third one runs", async () => {
    create("big");
    create("huge");
    ci.ok("assign-ppa");
    ci.ok("assign-ppa");
    const first = ci.start("build-source", "-v", "2");
    await once(first.stderr, "data");
    const second = ci.start("build-source", "-v", "2");
    await once(second.stderr, "data");
    const locks = ci.ok("locks");
    expect(locks).toMatch(/^build-source +alive +process/m);
    expect(locks).toMatch(/^build-source\.2 +alive +process/m);
    expect(ci.run("build-source")).toMatchObject({
      code: 75,
      stderr: expect.stringContaining(
        "build-source is running already",
      ) as string,
    });
    expect(["1", "2"].map((id) => ci.ticket(id).status)).toEqual([
      "running",
      "running",
    ]);
    const both = Promise.all([ended(first), ended(second)]);
    first.kill();
    second.kill();
    expect((await both).map(({ code }) => code)).toEqual([75, 75]);
    expect(ci.ok("locks")).toBe("no locks");
  });

  test("two processes that publish at the same time make two revisions", async () => {
    create("one");
    create("two");
    ci.ok("land", "--until", "run-tests");
    const both = await Promise.all(
      ["1", "2"].map((id) => ended(ci.start("publish", "--ticket", id))),
    );
    expect(both.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ""],
      [0, ""],
    ]);
    const revisions = ["1", "2"].map((id) => ci.ticket(id).archive_revision);
    expect(revisions.sort()).toEqual([1, 2]);
    const shown = ci.ok("archive", "show", "2");
    expect(shown).toContain("one  1.0");
    expect(shown).toContain("two  1.0");
  });
});
