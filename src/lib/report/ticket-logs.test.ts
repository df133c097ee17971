import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { stepOf } from "../domain/step.ts";
import type { Artifact, Run, Ticket } from "../domain/ticket.ts";
import { Site } from "./site.ts";
import { parseSums } from "./sums.ts";
import { writeTicketLogs, type TicketLogs } from "./ticket-logs.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ticket-logs-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const artifact = (name: string, more: Partial<Artifact> = {}): Artifact => ({
  container: "c",
  name,
  type: "LOGS",
  size: 1,
  sha256: name,
  expired_at: null,
  subticket: null,
  ...more,
});

const run = (reason: string, evidence: string): Run => ({
  step: stepOf(200),
  attempt: 1,
  outcome: "failed",
  started_at: "2026-01-01T00:00:00.000Z",
  finished_at: null,
  reason,
  evidence,
  stages: {},
});

async function logsOf(
  files: Readonly<Record<string, string>>,
  ticket: Partial<Ticket>,
): Promise<TicketLogs> {
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(root, name), text);
  const site = new Site(join(root, "site"), true);
  const shown = Object.keys(files).map((name) => artifact(name));
  site.whole("tickets/1");
  const logs = await writeTicketLogs(site, {
    ticket: {
      ...{ id: 1, title: "hello", failure: null, runs: [], tests: [] },
      ...ticket,
    } as unknown as Ticket,
    folder: "tickets/1",
    shown: [...shown, artifact("gone.log"), artifact("a.txt")],
    names: new Map(shown.map(({ name }) => [name, `${name}.txt`])),
    pathOf: ({ name }) => join(root, name),
    frame: (folder, title, body) => `${folder}\n${title}\n${body}`,
    basis: "",
  });
  site.close("tickets/1");
  return logs;
}

describe("the logs of a ticket", () => {
  test("have pages, listed with their sums; what is gone or no log has none", async () => {
    const logs = await logsOf({ "a.build.log": "x\n" }, {});
    expect(logs.list).toEqual([
      { name: "a.build.log", url: "logs/a.build.log/index.html" },
    ]);
    expect(logs.urlOf("gone.log")).toBeUndefined();
    expect(logs.urlOf(null)).toBeUndefined();
    const list = readFileSync(join(root, "site/tickets/1/SHA256SUMS"), "utf8");
    expect([...(parseSums(list)?.keys() ?? [])]).toEqual([
      "logs/a.build.log/index.html",
      "logs/a.build.log/index.json",
    ]);
  });

  test("lead to the line that says why, of the attempt that wrote the log last", async () => {
    const name = "a.build.log";
    const logs = await logsOf(
      { [name]: "cc\na.c:1: error: second\n" },
      {
        runs: [
          run("compile: a.c:1: error: first", name),
          run("compile: a.c:1: error: second", name),
        ],
      },
    );
    expect(logs.urlOfReason(name, "compile: a.c:1: error: second")).toBe(
      "logs/a.build.log/index.html#L2",
    );
    expect(logs.urlOfReason(name, "compile: a.c:1: error: first")).toBe(
      "logs/a.build.log/index.html",
    );
  });

  test("say nothing of why when the step passed", async () => {
    const passed = { ...run("a note: x y z", "a.log"), outcome: "passed" };
    const logs = await logsOf(
      { "a.log": "a note: x y z\n" },
      { runs: [passed as Run] },
    );
    expect(logs.urlOfReason("a.log", "a note: x y z")).toBe(
      "logs/a.log/index.html",
    );
  });

  test("lead to the results of tests, of the package that they are of", async () => {
    const log = [
      "autopkgtest [12:00:00]: test smoke: [-----",
      "autopkgtest [12:00:01]: test smoke:  - - - - results - - - -",
      "smoke PASS",
    ].join("\n");
    const of = (source: string, name: string) =>
      ({ package: source, name }) as Ticket["tests"][number];
    const logs = await logsOf(
      { "a.autopkgtest.log": log, "b.autopkgtest.log": "nothing\n" },
      { tests: [of("a", "smoke"), of("b", "smoke")] },
    );
    expect(logs.urlOfTest(of("a", "smoke"))).toBe(
      "logs/a.autopkgtest.log/index.html#L3",
    );
    expect(logs.urlOfTest(of("b", "smoke"))).toBeUndefined();
    expect(logs.urlOfTest(of("c", "smoke"))).toBeUndefined();
  });

  test("that cannot be unpacked do not keep the others from being shown", async () => {
    const logs = await logsOf({ "a.log.gz": "no gzip", "b.log": "x\n" }, {});
    expect(logs.list.map(({ name }) => name)).toEqual(["b.log"]);
  });
});
