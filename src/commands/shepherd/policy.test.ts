import { writeFileSync } from "node:fs";
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

import { InProcess, saying } from "../../../test/support/in-process.ts";

/** A policy that people can read, try and change without an accident. */
let template: InProcess;
let ci: InProcess;

const noTests = "rules:\n  - requirement: built\n  - requirement: image\n";
const exempting = (source: string) =>
  `rules:\n  - requirement: built\n  - requirement: image\n  - requirement: tests\n    sources: ["${source}"]\n    required: false\n  - requirement: tests\n`;

beforeAll(async () => {
  // Ticket 1 lands, 2 and 3 fail at their tests, 4 at its build, 5 lands with an override.
  template = await InProcess.init();
  template.configure({
    fake: { builder: "four=fail", tester: "two=fail,three=fail,five=fail" },
  });
  for (const name of ["one", "two", "three", "four", "five"])
    await template.create(name);
  const ignored = ["--ignore-test", "five", "--reason", "known"];
  await template.ok("override", "5", ...ignored);
  expect((await template.run("land")).code).toBe(1);
  template.configure({});
}, 60_000);
afterAll(() => template.remove());
beforeEach(() => {
  ci = template.copy();
});
afterEach(() => ci.remove());

/** Writes a policy; its path. */
function written(text: string, name = "policy.yaml"): string {
  const file = join(ci.root, name);
  writeFileSync(file, text);
  return file;
}

const inForce = async () => (await ci.json("policy", "show")).document;

describe("show", () => {
  test("prints what set accepts, and it decides as the engine did", async () => {
    const text = await ci.ok("policy", "show");
    expect(await ci.ok("policy")).toBe(text);
    const json = written(await ci.ok("policy", "show", "--json"), "a.json");
    for (const file of [written(text), json]) {
      const { document } = await ci.json("policy", "diff", file);
      expect(document).toEqual({
        decided: 5,
        let_through: { count: 0, tickets: [] },
        stopped: { count: 0, tickets: [] },
      });
      await ci.ok("policy", "set", file);
    }
    expect(await inForce()).toMatchObject({
      rules: [
        { requirement: "built", counts: { fail: "fail" } },
        { requirement: "image", architectures: ["*"] },
        { requirement: "tests", counts: { flaky: "pass", missing: "missing" } },
      ],
      set: { id: 2, by: saying("@"), reason: null, forced: false },
    });
    expect(await ci.ok("policy", "show", "--default")).toBe(text);
    const again = ["policy", "set", json] as const;
    expect(await ci.ok(...again)).toBe("that policy is in force already");
    expect(ci.sql("SELECT count(*) AS n FROM policy")).toEqual([{ n: 2 }]);
  });
});

describe("a policy that skips all tests", () => {
  test("is told by diff to let through what was stopped, and refused by set", async () => {
    const file = written(noTests);
    expect(await ci.ok("policy", "diff", file)).toMatch(
      /^5 decided tickets: 2 that were stopped would have been let through, 0 that were let through would not\nstopped, and would have been let through:\n +2 {2}bookworm {2}two 1\.0 {2}two 1\.0: .+\n +3 /,
    );
    const refused = await ci.run("policy", "set", file);
    expect(refused).toMatchObject({
      code: 2,
      stdout: "",
      stderr: saying(
        "would have let through 2 tickets that were stopped, and 0 are allowed (policy.maxLetThrough): 2, 3",
      ),
    });
    expect(refused.stderr).toContain(`policy set ${file} --force --reason`);
    expect(await ci.run("policy", "set", file, "--dry-run")).toMatchObject({
      code: 2,
    });
    const bare = await ci.run("policy", "set", file, "--force");
    expect(bare.stderr).toContain("--force needs a reason");
    expect(await inForce()).toMatchObject({ set: null });
  });

  test("is set with --force, for a reason that is recorded; tests run on and count no longer", async () => {
    const file = written(noTests);
    const forced = ["--force", "--reason", "no testbed this week"];
    await ci.ok("policy", "set", file, ...forced);
    expect(await inForce()).toMatchObject({
      set: { forced: true, reason: "no testbed this week" },
    });
    expect(await ci.ok("policy", "show")).toBe(noTests.trimEnd());
    expect(await ci.ok("log")).toMatch(
      /policy 1.*set by force.*2 through that were stopped.*no testbed this week/,
    );
    ci.configure({ fake: { tester: "fail" } });
    await ci.create("six");
    await ci.ok("land");
    expect(await ci.ticket(6)).toMatchObject({
      status: "done",
      tests: [{ result: "fail", state: "pass" }],
    });
    expect((await ci.json("status", "6")).document).toMatchObject({
      ticket: {
        runs: [
          {},
          {},
          {},
          { reason: saying("which the policy does not require") },
          {},
        ],
      },
    });
    const back = await ci.run("policy", "diff", written(exempting("none")));
    expect(back.stdout).toMatch(/let through, and would not have been:\n +6 /);
  });

  test("is set where so many may be let through", async () => {
    const file = written(noTests);
    ci.configure({ policy: { maxLetThrough: 1 } });
    expect((await ci.run("policy", "set", file)).code).toBe(2);
    ci.configure({ policy: { maxLetThrough: 2 } });
    await ci.ok("policy", "set", file);
  });
});

describe("test and diff", () => {
  test("each recorded ticket is decided about, changing nothing", async () => {
    const file = written(exempting("t*"));
    const { document } = await ci.json("policy", "test", file);
    expect(document).toMatchObject({
      ...{ through: 4, stopped: 1, undecided: 0 },
      tickets: [
        { ticket: 1, was: "through", would: "through" },
        { ticket: 2, was: "stopped", would: "through" },
        { ticket: 3, was: "stopped", would: "through" },
        { ticket: 4, was: "stopped", would: "stopped" },
        { ticket: 5, was: "through", would: "through" },
      ],
    });
    expect(await ci.ok("policy", "test", file, "--limit", "2")).toMatch(
      /^4 .*built of four: fail \(.+\)\n5 .*through\n4 let through, 1 stopped, 0 undecided$/,
    );
    expect(await ci.ok("policy", "test", file, "--ticket", "5")).toContain(
      "tests of five, fake: waived (ignored: known (by ",
    );
    expect(await inForce()).toMatchObject({ set: null });
  });

  test("a stricter policy stops what was let through, and is set without force", async () => {
    const file = written(
      `rules:\n  - requirement: tests\n    sources: [one]\n    tests: [smoke]\n${exempting("none").slice("rules:\n".length)}`,
    );
    expect((await ci.json("policy", "diff", file)).document).toMatchObject({
      decided: 5,
      let_through: { count: 0 },
      stopped: {
        count: 1,
        tickets: [
          {
            ...{ ticket: 1, was: "through", would: "undecided" },
            because: "tests of one, smoke: missing (there is no such test)",
          },
        ],
      },
    });
    await ci.ok("policy", "set", file);
    await ci.create("one", "2.0");
    const landed = await ci.run("land");
    expect(landed.code).not.toBe(0);
    expect(await ci.ticket(6)).toMatchObject({
      ...{ status: "set-aside", set_aside: "approval", failure: null },
      waiting_for: saying("one 2.0: smoke: there is no such test"),
    });
    expect((await ci.json("explain", "6")).document).toMatchObject({
      unblock: saying("override 6 --ignore-test one --reason TEXT"),
    });
    const smoke = ["--ignore-test", "one/smoke", "--reason", "comes later"];
    await ci.ok("override", "6", ...smoke);
    await ci.ok("land");
    expect((await ci.ticket(6)).status).toBe("done");
  });

  test("what was recorded before findings were is judged by runs and tests", async () => {
    ci.sql("DELETE FROM finding");
    const diff = async (text: string) =>
      (await ci.json("policy", "diff", written(text))).document;
    expect(await diff(exempting("none"))).toMatchObject({
      ...{ decided: 5, let_through: { count: 0 }, stopped: { count: 0 } },
    });
    expect(await diff(noTests)).toMatchObject({ let_through: { count: 2 } });
  });

  test("one that requires nothing would have let all through", async () => {
    const { document } = await ci.json("policy", "diff", written("rules: []"));
    expect(document).toMatchObject({ let_through: { count: 3 } });
  });

  test("what stopped a ticket before its tests, and is dropped, counts as let through although the rest is unknown", async () => {
    const text = "rules:\n  - requirement: image\n  - requirement: tests\n";
    expect(await ci.ok("policy", "diff", written(text))).toMatch(
      /1 that were stopped would.*\n.*\n +4 .*what comes after that was never tried$/s,
    );
  });
});

describe("bad input", () => {
  test.each([
    ["", 1, "", "is no policy, which is a table with `rules`"],
    ["rules", 1, "", "is no policy"],
    ["rules: 7", 1, "rules", "must be a list of rules"],
    ["rules:\n- built", 2, "rules[0]", "must be a table with `requirement`"],
    ["rules: []\nrule: 1", 2, "rule", "is not known; did you mean rules?"],
    [
      "rules:\n\n- requirement: build",
      3,
      "rules[0].requirement",
      "one of built, image, tests",
    ],
    ["rules:\n- series: [a]", 2, "rules[0].requirement", "must be one of"],
    [
      "rules:\n- requirement: built\n  serie: [a]",
      3,
      "rules[0].serie",
      "did you mean series?",
    ],
    [
      "rules:\n- requirement: built\n  series: a",
      3,
      "rules[0].series",
      "must be a list of names",
    ],
    [
      "rules:\n- requirement: built\n  series:\n  - a\n  - b/c",
      5,
      "rules[0].series[1]",
      "is no name",
    ],
    [
      "rules:\n- requirement: built\n  series: []",
      3,
      "rules[0].series",
      "must be a list",
    ],
    [
      "rules:\n- requirement: built\n  sources: [1]",
      3,
      "rules[0].sources[0]",
      "must be a text",
    ],
    [
      "rules:\n- requirement: built\n  tests: [a]",
      3,
      "rules[0].tests",
      "does not tell apart",
    ],
    [
      "rules:\n- requirement: image\n  sources: [a]",
      3,
      "rules[0].sources",
      "does not tell apart",
    ],
    [
      "rules:\n- requirement: built\n  required: maybe",
      3,
      "rules[0].required",
      "must be true or false",
    ],
    [
      "rules:\n- requirement: tests\n  counts: pass",
      3,
      "rules[0].counts",
      "must be a table",
    ],
    [
      "rules:\n- requirement: tests\n  counts:\n    flaky: ok",
      4,
      "rules[0].counts.flaky",
      "must be one of pass, fail",
    ],
    [
      "rules:\n- requirement: tests\n  counts: { missing: fail }",
      3,
      "rules[0].counts.missing",
      "nothing has failed",
    ],
    [
      "rules:\n- requirement: tests\n  counts: { infrastructure: pass }",
      3,
      "rules[0].counts.infrastructure",
      "never counted",
    ],
    [
      "rules:\n- requirement: built\n  counts: { flaky: fail }",
      3,
      "rules[0].counts.flaky",
      "never found of built",
    ],
    [
      "rules:\n- requirement: tests\n  counts: { falky: fail }",
      3,
      "rules[0].counts.falky",
      "did you mean flaky?",
    ],
    [
      "rules:\n- requirement: tests\n  required: false\n  counts: {}",
      4,
      "rules[0].counts",
      "has no effect",
    ],
  ])("%j: line %i, %j %s", async (text, line, field, message) => {
    const file = written(text);
    const { code, document } = await ci.json("policy", "set", file);
    expect(code).toBe(2);
    expect(document).toMatchObject({
      error: {
        problems: [
          {
            where: `policy.yaml:${line}`,
            field: field === "" ? null : field,
            message: saying(message),
          },
        ],
      },
    });
    expect(await inForce()).toMatchObject({ set: null });
  });

  test("all problems are told at once, whichever verb reads them", async () => {
    const file = written(
      "rules:\n- requirement: tests\n  series: x\n  counts: { flaky: 1 }\n- {}\n",
    );
    for (const verb of ["test", "diff", "set"]) {
      const { code, stderr } = await ci.run("policy", verb, file);
      expect(code).toBe(2);
      for (const where of [
        "policy.yaml:3: rules[0].series:",
        "policy.yaml:4: rules[0].counts.flaky:",
        "policy.yaml:5: rules[1].requirement:",
      ])
        expect(stderr).toContain(where);
    }
  });

  test.each([
    ["rules: [", /policy\.yaml:\d/],
    ["a: 1\na: 2", /policy\.yaml:2.*duplicated/s],
    ["rules: !!js/function x", /policy\.yaml:1/],
    ['{"rules": [{"requirement": "tests", }', /policy\.yaml:\d/],
  ])("%j cannot be parsed", async (text, message) => {
    const { code, stderr } = await ci.run("policy", "set", written(text));
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  test("a file that is not there, or too large, is refused", async () => {
    for (const [file, message] of [
      [join(ci.root, "none.yaml"), "cannot be read"],
      [written("#".repeat(300_000)), "larger than 256 KiB"],
    ] as const)
      expect(await ci.run("policy", "set", file)).toMatchObject({
        code: 2,
        stderr: saying(message),
      });
    const limits = ["--all", "--limit", "3"];
    const both = await ci.run("policy", "diff", written(noTests), ...limits);
    expect(both.stderr).toContain("--all and --limit exclude each other");
    const missing = ["policy", "test", written(noTests), "--ticket", "99"];
    expect(await ci.run(...missing)).toMatchObject({
      code: 2,
      stderr: saying("there is no ticket 99"),
    });
  });
});
