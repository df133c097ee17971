import { existsSync } from "node:fs";
import { join } from "node:path";

import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";

import { InProcess } from "../../../test/support/in-process.ts";

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

const outcomes = async (id: string) =>
  (await ci.ticket(id)).runs.map(
    ({ step, attempt, outcome }) => `${step.code} ${attempt} ${outcome ?? ""}`,
  );

describe("step by step", () => {
  test("a ticket lands, its PPA is given back, and nothing is left over", async () => {
    const id = await ci.create("hello");
    expect(id).toBe("1");
    for (const [command, code, said] of [
      ["assign-ppa", 200, "assign-ppa passed: ci_pool-001"],
      ["build-source", 300, "build-source passed"],
      ["build-image", 400, "build-image passed"],
      ["run-tests", 500, "run-tests passed"],
      ["publish", 1000, "publish passed: archive revision 1"],
    ] as const) {
      expect(await ci.run(command, "-v", "2")).toMatchObject({
        code: 0,
        stderr: expect.stringContaining(`ticket 1: ${said}`) as string,
      });
      expect((await ci.ticket(id)).step.code).toBe(code);
    }
    const landed = await ci.ticket(id);
    expect(landed).toMatchObject({
      status: "done",
      archive_revision: 1,
      failure: null,
      ppa: null,
    });
    expect(landed.artifacts.map(({ name }) => name).sort()).toEqual([
      "hello.autopkgtest.log",
      "hello_1.0.dsc",
      "hello_1.0.tar.xz",
      "hello_1.0_amd64.build",
      "hello_1.0_amd64.buildinfo",
      "hello_1.0_amd64.changes",
      "hello_1.0_amd64.deb",
      "hello_1.0_source.changes",
      "ticket-1.image.log",
      "ticket-1.manifest.json",
      "ticket-1.rootfs.tar.zst",
    ]);
    expect(landed.artifacts.every((file) => existsSync(ci.stored(file)))).toBe(
      true,
    );
    expect(await ci.ok("clean-ppas")).toBe("ci_pool-001");
    expect(await ci.ok("ppa", "list")).toMatch(
      /^ci_pool-001 {2}free .*\nci_pool-002 {2}free .*$/,
    );
    expect(
      existsSync(join(ci.state, "archive/pool/main/h/hello/hello_1.0.dsc")),
    ).toBe(true);
  });
});
