import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

import { fakeBackends, Installation, program } from "./support/program.ts";
import { everyVerb } from "./support/verbs.ts";

/** What operators do to tickets: cancel, retry, override; on fake backends. */
const fakes = {
  ...fakeBackends,
  ppa: { pool: 1 },
  retry: { firstDelaySeconds: 0 },
};

let template: Installation;
let ci: Installation;

/** Signed uploads, made once: many tests begin with the same one. */
const uploads = new Map<string, string>();

function upload(name: string, version = "1.0"): string {
  const known = uploads.get(`${name} ${version}`);
  if (known !== undefined) return known;
  const made = template.upload(name, version, program(name));
  uploads.set(`${name} ${version}`, made);
  return made;
}

/** Changes the configuration of the same installation. */
function configure(config: object): void {
  writeFileSync(
    join(ci.root, "config.json"),
    JSON.stringify({ ...fakes, ...config }),
  );
}

const create = (name: string, version = "1.0", ...options: string[]) =>
  ci.ok(
    "create_ticket",
    "-t",
    `land ${name}`,
    "-s",
    upload(name, version),
    ...options,
  );

const outcomes = (id: string) =>
  ci
    .ticket(id)
    .runs.map(({ step, attempt, outcome }) => [step.code, attempt, outcome]);

/** Starts a command and waits until its first line says that it is at work. */
async function started(...args: string[]) {
  const child = ci.start(...args, "-v", "2");
  const ended = once(child, "exit") as Promise<[number | null]>;
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  await once(child.stderr, "data");
  return { child, ended, said: () => said };
}

const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 30_000 });

beforeAll(() => {
  template = new Installation(fakes);
  template.ok("init");
  template.addUploader();
});
afterAll(() => template.remove());
beforeEach(() => {
  ci = new Installation(fakes, undefined, template);
});
afterEach(() => ci.remove());

describe("cancel", () => {
  test("a waiting or held ticket ends at once, its PPA is free for the next", () => {
    create("one");
    create("two", "1.0", "--wait");
    create("three");
    ci.ok("assign-ppa");
    expect(ci.ticket("1").ppa).toBe("ci_pool-001");
    expect(ci.ok("cancel", "1", "--dry-run")).toBe(
      "ticket 1: cancel\n  end the ticket, which is waiting\n  give back ci_pool-001, to be emptied",
    );
    expect(ci.ticket("1").status).toBe("waiting");
    expect(ci.ok("cancel", "1", "--reason", "a\nmistake")).toBe(
      "ticket 1 was cancelled",
    );
    ci.ok("cancel", "2");
    expect(ci.ticket("1")).toMatchObject({
      status: "cancelled",
      step: { code: 999 },
      failure: null,
      ppa: null,
      cancelled: { reason: "a mistake" },
    });
    expect(ci.ticket("2").cancelled).toMatchObject({ reason: null });
    expect(ci.ok("status", "1")).toMatch(/cancelled by \S+@\S+: a mistake/);
    ci.ok("land");
    expect(ci.ticket("3").status).toBe("done");
  });

  test("an ended ticket is refused", () => {
    create("hello");
    ci.ok("cancel", "1");
    expect(ci.run("cancel", "1")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /ticket 1 has ended already: cancelled by .*\n.*ubuntu-ci retry 1/,
      ) as string,
    });
    ci.ok("retry", "1");
    ci.ok("land");
    expect(ci.run("cancel", "1")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("it is archive revision 1") as string,
    });
    expect(ci.run("cancel", "9").code).toBe(2);
  });

  test.each(["land", "build-source"])(
    "the run of %s ends within seconds and says so",
    async (command) => {
      configure({ fake: { builder: "slow@600000" } });
      create("hello");
      if (command !== "land") ci.ok("assign-ppa");
      const { child, ended, said } = await started(command);
      while (!said().includes("building hello"))
        await once(child.stderr, "data");
      const before = performance.now();
      ci.ok("cancel", "1", "--reason", "wrong branch");
      expect(performance.now() - before).toBeLessThan(8000);
      expect((await ended)[0]).toBe(1);
      expect(said()).toMatch(
        /ticket 1: build-source ended: cancelled by \S+: wrong branch/,
      );
      expect(ci.ticket("1")).toMatchObject({
        status: "cancelled",
        failure: null,
        ppa: null,
        resume_step: { code: 200 },
      });
      expect(ci.ok("ppa", "list")).not.toContain("reserved");
      expect(ci.ok("locks")).toBe("no locks");
      // What was cancelled can be taken up again, where it was.
      configure({});
      ci.ok("retry", "1");
      ci.ok("land");
      expect(ci.ticket("1")).toMatchObject({ status: "done", cancelled: null });
      expect(
        ci
          .ticket("1")
          .runs.filter(({ step }) => step.code === 200)
          .map(({ attempt, outcome }) => [attempt, outcome]),
      ).toEqual([
        [1, "tmpfail"],
        [2, "passed"],
      ]);
    },
  );

  test("a ticket whose process died is cancelled all the same", () => {
    configure({ fake: { builder: "kill" } });
    create("hello");
    expect(ci.run("land").code).toBeNull();
    expect(ci.ticket("1")).toMatchObject({
      status: "running",
      progress: null,
      waiting_for: expect.stringMatching(
        /^process \d+ on \S+ is gone: the next pass goes on$/,
      ) as string,
    });
    ci.ok("cancel", "1");
    expect(ci.ticket("1")).toMatchObject({ status: "cancelled", ppa: null });
    expect(ci.ticket("1").cancelled).not.toBeNull();
  });

  test("killed after it was asked, whoever comes next ends it", async () => {
    configure({ fake: { builder: "slow@600000" } });
    create("hello");
    const { child, ended } = await started("land");
    // From then on it writes nothing: stopped in a write, it would keep others from the state file.
    await eventually(() => ci.ticket("1").progress).not.toBeNull();
    // Asked while the run cannot notice, and the one who asks goes away.
    child.kill("SIGSTOP");
    const asking = ci.start("cancel", "1");
    await eventually(() => ci.ticket("1").cancelled).not.toBeNull();
    asking.kill("SIGKILL");
    child.kill("SIGKILL");
    await ended;
    expect(ci.ticket("1").status).toBe("running");
    ci.run("land");
    expect(ci.ticket("1")).toMatchObject({ status: "cancelled", ppa: null });
    expect(outcomes("1").at(-1)).toEqual([200, 1, "tmpfail"]);
  });

  test.each(["begun", "copied", "prepared", "shown"])(
    "killed at %s of a publication, cancelling agrees with the archive",
    (point) => {
      configure({ fake: { archive: `kill@${point}` } });
      create("hello");
      expect(ci.run("land").code).toBeNull();
      configure({});
      const cancelled = ci.run("cancel", "1");
      const { current } = JSON.parse(ci.ok("archive", "list", "--json")) as {
        current: number;
      };
      if (point === "shown") {
        expect(cancelled).toMatchObject({
          code: 2,
          stderr: expect.stringContaining(
            "was published before it could be cancelled: archive revision 1",
          ) as string,
        });
        expect(current).toBe(1);
        expect(ci.ticket("1")).toMatchObject({
          status: "done",
          archive_revision: 1,
          cancelled: null,
        });
      } else {
        expect(cancelled.code).toBe(0);
        expect(current).toBe(0);
        expect(ci.ticket("1")).toMatchObject({
          status: "cancelled",
          archive_revision: null,
        });
      }
      expect(ci.ticket("1").ppa).toBeNull();
    },
  );

  test("maintenance holds it back, and the other verbs", () => {
    create("hello");
    writeFileSync(join(ci.state, "maintenance.txt"), "new disk\n");
    for (const command of [
      ["cancel", "1"],
      ["retry", "1"],
      ["override", "1", "--ignore-step", "run-tests", "--reason", "x"],
    ])
      expect(ci.run(...command).code, command.join(" ")).toBe(75);
    expect(ci.ok("override", "1")).toBe("no overrides");
  });
});

describe("retry", () => {
  test("goes on at the failed step, in a PPA filled again, and its runs are history", () => {
    configure({ fake: { tester: "fail" } });
    create("hello");
    expect(ci.run("land").code).toBe(1);
    expect(ci.ticket("1").failure?.step.code).toBe(400);
    ci.ok("clean-ppas");
    expect(ci.ok("retry", "1", "--dry-run")).toContain(
      "go on at Image Testing (run-tests)",
    );
    expect(ci.ticket("1").status).toBe("failed");
    configure({});
    ci.ok("retry", "1");
    expect(ci.ticket("1")).toMatchObject({
      status: "waiting",
      step: { code: 100 },
      resume_step: { code: 400 },
      failure: null,
      queue_position: 1,
    });
    ci.ok("assign-ppa");
    expect(ci.ticket("1").step.code).toBe(400);
    expect(
      JSON.parse(
        readFileSync(join(ci.state, "ppa/ci_pool-001/files.json"), "utf8"),
      ),
    ).toEqual(["hello_1.0.dsc", "hello_1.0_amd64.deb"]);
    ci.ok("land");
    expect(ci.ticket("1")).toMatchObject({
      status: "done",
      archive_revision: 1,
      resume_step: null,
    });
    expect(outcomes("1")).toEqual([
      [100, 1, "passed"],
      [200, 1, "passed"],
      [300, 1, "passed"],
      [400, 1, "failed"],
      [100, 2, "passed"],
      [400, 2, "passed"],
      [500, 1, "passed"],
    ]);
    // Both attempts' logs can be read.
    const logs = ci.ticket("1").artifacts.map(({ name }) => name);
    expect(logs).toContain("hello.autopkgtest.log");
    expect(logs).toContain("hello.autopkgtest.attempt2.log");
  });

  test("goes back to an earlier step, and to the one that makes what is gone", () => {
    configure({ fake: { tester: "fail" } });
    create("hello");
    ci.run("land");
    ci.ok("retry", "1", "--from", "build-image");
    ci.run("land");
    expect(outcomes("1").slice(4)).toEqual([
      [100, 2, "passed"],
      [300, 2, "passed"],
      [400, 2, "failed"],
    ]);
    const deb = ci
      .ticket("1")
      .artifacts.find(({ name }) => name.endsWith(".deb"));
    if (deb === undefined) throw new Error("none");
    rmSync(ci.stored(deb));
    expect(ci.run("retry", "1", "--from", "400")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        ci.line("retry 1 --from build-source"),
      ) as string,
    });
    expect(ci.ok("retry", "1")).toContain(
      "go on at Package Building (build-source), because its built packages are gone",
    );
    configure({});
    ci.ok("land");
    expect(ci.ticket("1").status).toBe("done");
  });

  test("works after infrastructure failed, with its log named", () => {
    configure({
      fake: { builder: "tmpfail" },
      retry: { limit: 0, firstDelaySeconds: 0 },
    });
    create("hello");
    ci.run("land");
    expect(ci.ticket("1").failure).toMatchObject({
      kind: "infrastructure",
      artifact: "hello_1.0_amd64.build",
    });
    expect(ci.ticket("1").runs.at(-1)?.evidence).toBe("hello_1.0_amd64.build");
    configure({});
    ci.ok("retry", "1");
    ci.ok("land");
    expect(ci.ticket("1").status).toBe("done");
  });

  test("an attempt that died without a log points at the last one there is", () => {
    configure({
      fake: { builder: "tmpfail" },
      retry: { limit: 1, firstDelaySeconds: 0 },
    });
    create("hello");
    ci.run("land");
    configure({
      fake: { builder: "kill" },
      retry: { limit: 1, firstDelaySeconds: 0 },
    });
    ci.run("land");
    ci.run("land");
    expect(ci.ticket("1").failure).toMatchObject({
      kind: "infrastructure",
      reason: expect.stringMatching(/was gone/) as string,
      artifact: "hello_1.0_amd64.build",
    });
  });

  test("a back-off is waited for, or not", () => {
    const slow = { retry: { limit: 3, firstDelaySeconds: 3600 } };
    configure({ ...slow, fake: { builder: "tmpfail" } });
    create("hello");
    expect(ci.run("land").code).toBe(75);
    expect(ci.ticket("1").retry_at).not.toBeNull();
    configure(slow);
    ci.ok("land");
    expect(ci.ticket("1").step.code).toBe(200);
    expect(ci.ok("retry", "1")).toContain("due at once");
    ci.ok("land");
    expect(ci.ticket("1").status).toBe("done");
  });

  test("is refused where it makes no sense, with what to do instead", () => {
    configure({ fake: { tester: "fail" } });
    create("hello");
    expect(ci.run("retry", "1")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("has not failed") as string,
    });
    ci.run("land");
    expect(ci.run("retry", "1", "--from", "publish")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        `\`${ci.line("override 1 --ignore-step run-tests --reason TEXT")}\`, then \`${ci.line("retry 1")}\``,
      ) as string,
    });
    create("hello");
    expect(ci.run("retry", "1")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        "hello 1.0 is in flight as ticket 2",
      ) as string,
    });
    configure({});
    ci.ok("land");
    expect(ci.run("retry", "1")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("the archive has hello 1.0") as string,
    });
    expect(ci.run("retry", "2").code).toBe(2);
  });

  test("a ticket that waits for its PPA again can be held, and cancelled", () => {
    configure({ fake: { tester: "fail" } });
    create("hello");
    ci.run("land");
    ci.ok("retry", "1");
    ci.ok("update_ticket", "1", "--hold");
    ci.ok("land");
    expect(ci.ticket("1").status).toBe("held");
    ci.ok("cancel", "1");
    configure({});
    ci.ok("retry", "1");
    expect(ci.ticket("1").resume_step?.code).toBe(400);
    ci.ok("land");
    expect(ci.ticket("1").status).toBe("done");
  });

  test("a tool that is missing costs no retry", () => {
    // The real builder without a base cannot begin: a person has to make one.
    configure({
      builder: "session",
      retry: { limit: 0, firstDelaySeconds: 0 },
    });
    create("hello");
    for (let pass = 0; pass < 2; pass += 1) {
      expect(ci.run("land").code).toBe(78);
      expect(ci.ticket("1")).toMatchObject({
        status: "waiting",
        waiting_for: expect.stringContaining("ubuntu-ci init") as string,
      });
    }
    configure({});
    ci.ok("land");
    expect(outcomes("1").map(([, attempt]) => attempt)).toEqual([
      1, 1, 1, 1, 1,
    ]);
  });
});

describe("override", () => {
  const ignoring = (...args: string[]) =>
    ci.ok("override", "1", ...args, "--reason", "known");

  test("a failed test that is ignored doesn't count, and the way on is printed", () => {
    configure({ fake: { tester: "fail" } });
    create("hello");
    ci.run("land");
    expect(ci.ok("override", "1")).toBe("no overrides");
    expect(ignoring("--ignore-test", "hello/fake", "--dry-run")).toContain(
      "record ignore-test hello/fake",
    );
    expect(ci.ticket("1").overrides).toEqual([]);
    const said = ignoring("--ignore-test", "hello/fake");
    const command = /^ubuntu-ci (retry 1 --from run-tests) /m.exec(said)?.[1];
    ci.ok(...(command ?? "").split(" "));
    ci.ok("land");
    const landed = ci.ticket("1");
    expect(landed).toMatchObject({
      status: "done",
      tests: [
        {
          result: "fail",
          detail: expect.stringMatching(/^ignored: known/) as string,
        },
      ],
    });
    expect(landed.runs.find((run) => run.attempt === 2)?.outcome).toBe(
      "passed",
    );
    expect(ci.ok("status", "1")).toMatch(
      /ignore-test hello\/fake: ignored: known \(by /,
    );
    ci.ok("shepherd-report");
    const page = readFileSync(
      join(ci.state, "report/tickets/1/index.html"),
      "utf8",
    );
    expect(page).toContain("ignore-test hello/fake");
  });

  test("an ignored step is passed over without running", () => {
    configure({ fake: { imager: "fail", tester: "fail" } });
    create("hello");
    ci.run("land");
    expect(ignoring("--ignore-step", "300")).toContain(
      ci.line("retry 1 --from build-image"),
    );
    ci.ok("retry", "1");
    ci.ok("land");
    const landed = ci.ticket("1");
    expect(landed.status).toBe("done");
    expect(landed.runs.find((run) => run.step.code === 400)?.reason).toMatch(
      /there is no image to test on; ignore-step build-image/,
    );
  });

  test("an ignored architecture holds nothing back, from the build on", () => {
    configure({ fake: { builder: "fail", imager: "fail", tester: "fail" } });
    create("hello");
    const mine = ci.run(
      "override",
      "1",
      "--ignore-arch",
      "nonesuch",
      "--reason",
      "x",
    );
    expect(mine.code).toBe(2);
    const architecture = /which is (\S+)/.exec(mine.stderr)?.[1] ?? "";
    ignoring("--ignore-arch", architecture);
    ci.ok("land");
    expect(ci.ticket("1")).toMatchObject({
      status: "done",
      archive_revision: 1,
    });
    expect(ci.ok("archive", "show", "1")).toBe(
      "bookworm  source  hello  1.0  source",
    );
  });

  test("is undone, and then counts no more", () => {
    configure({ fake: { tester: "fail" } });
    create("hello");
    ignoring("--ignore-step", "run-tests");
    ignoring("--ignore-test", "hello");
    expect(ci.run("override", "1", "--undo").code).toBe(2);
    expect(
      ci.ok("override", "1", "--undo", "--ignore-step", "run-tests"),
    ).toContain("is undone");
    expect(ci.ok("override", "1", "--undo", "2", "--dry-run")).toContain(
      "undo ignore-test hello",
    );
    ci.ok("override", "1", "--undo");
    expect(ci.run("override", "1", "--undo", "1").code).toBe(2);
    expect(ci.ok("override", "1").match(/undone by/g)).toHaveLength(2);
    expect(ci.run("land").code).toBe(1);
    // What was undone can be decided anew.
    ignoring("--ignore-step", "run-tests");
    expect(ci.ticket("1").overrides).toHaveLength(3);
  });

  test("is refused when it names nothing, too much, or gives no reason", () => {
    create("hello");
    const reason = ["--reason", "x"];
    for (const [args, message] of [
      [["--ignore-step", "tea", ...reason], '"tea" is not a step'],
      [["--ignore-step", "publish", ...reason], "cannot be ignored"],
      [["--ignore-test", "bash", ...reason], "has no source package"],
      [["--ignore-test", "hello"], "an override needs a reason"],
      [reason, "nothing to ignore or allow was named"],
      [
        ["--ignore-test", "hello", "--ignore-step", "400", ...reason],
        "one thing at a time",
      ],
      [["--undo", "x"], "is not the number of an override"],
    ] as const)
      expect(ci.run("override", "1", ...args)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(message) as string,
      });
  });
});

describe("update_ticket", () => {
  test("the priority of a waiting ticket changes the order, a started one's cannot", () => {
    create("one");
    create("two");
    expect(ci.ok("update_ticket", "2", "--priority", "5", "--dry-run")).toBe(
      "ticket 2: update_ticket\n  set priority to 5",
    );
    expect(ci.ticket("2").queue_position).toBe(2);
    ci.ok("update_ticket", "2", "--priority", "5");
    expect(ci.ticket("2").queue_position).toBe(1);
    ci.ok("assign-ppa");
    expect(ci.ticket("2").step.code).toBe(200);
    for (const change of [["--priority", "1"], ["--hold"]])
      expect(ci.run("update_ticket", "2", ...change)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("has started") as string,
      });
    expect(
      ci.run("update_ticket", "2", "--priority", "1", "--dry-run").code,
    ).toBe(2);
  });

  test("a held ticket lets others pass until it is queued", () => {
    create("one");
    create("two");
    ci.ok("update_ticket", "1", "--hold");
    expect(ci.ticket("1")).toMatchObject({
      status: "held",
      queue_position: null,
    });
    expect(ci.run("land", "--ticket", "1")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("update_ticket 1 --queue") as string,
    });
    ci.ok("land");
    expect(ci.ticket("2").status).toBe("done");
    ci.ok("update_ticket", "1", "--queue");
    ci.ok("land");
    expect(ci.ticket("1").status).toBe("done");
  });
});

describe("--dry-run", () => {
  const planOf = (...args: string[]) =>
    (JSON.parse(ci.ok(...args, "--json")) as { plan: unknown }).plan;
  const known = ["--reason", "known"];

  test("prints the plan that the real run executes", () => {
    create("hello");
    create("two", "1.0", "--wait");
    for (const command of [
      ["override", "1", "--ignore-test", "hello/fake", ...known],
      ["assign-ppa"],
      ["build-source"],
      ["build-image"],
      ["run-tests"],
      ["publish"],
      ["clean-ppas"],
      ["archive", "revert", "0", "--reason", "why"],
      ["cancel", "2"],
      ["retry", "2"],
      ["ppa", "add", "ci_pool-009"],
    ]) {
      const planned = planOf(...command, "--dry-run");
      expect(planned, command[0]).toMatchObject({
        actions: expect.arrayContaining([expect.any(String)]) as string[],
      });
      expect(planOf(...command), command[0]).toEqual(planned);
    }
  });

  test("changes nothing, whatever the command", async () => {
    create("landed");
    ci.ok("land");
    create("hello");
    create("two");
    ci.ok("cancel", "3");
    const policy = join(ci.root, "policy.yaml");
    writeFileSync(policy, "rules:\n  - requirement: tests\n");
    const { default: Database } = await import("better-sqlite3");
    const everything = () => {
      const db = new Database(join(ci.state, "state.sqlite"), {
        readonly: true,
      });
      const rows = [
        "event",
        "ticket",
        "ppa",
        "run",
        "override",
        "verdict",
        "policy",
      ].map((table) => db.prepare(`SELECT * FROM ${table}`).all());
      db.close();
      const files = readdirSync(ci.state, {
        recursive: true,
        encoding: "utf8",
      });
      // sqlite's own, which come and go with its connections.
      return { rows, files: files.filter((name) => !/-(wal|shm)$/.test(name)) };
    };
    const { uploaders } = JSON.parse(ci.ok("uploaders", "list", "--json")) as {
      uploaders: { fingerprint: string }[];
    };
    const lines = [
      `create_ticket -t t -s ${upload("three")}`,
      "update_ticket 2 -t x",
      "cancel 2",
      "retry 3",
      "override 2 --ignore-step run-tests --reason x",
      "land",
      "assign-ppa",
      "build-source",
      "build-image",
      "run-tests",
      "publish",
      "release-ppa",
      "clean-ppas",
      "ppa add ci_pool-009",
      "ppa populate",
      "archive revert 0 --reason why",
      "archive undo 1 --reason why",
      "archive promote 1 --force --reason why",
      "archive resign",
      `uploaders add ${join(ci.root, "dev.asc")}`,
      `uploaders remove ${uploaders[0]?.fingerprint ?? ""}`,
      "qa 1 ok",
      `policy set ${policy}`,
      "shepherd-report",
      "remind",
      "init",
      "refresh-bases",
      "maintenance on",
      "maintenance off",
      "backup",
      "expire",
      "fsck --mend",
      `check --prometheus ${join(ci.root, "metrics.prom")}`,
    ];
    // These need a backup, a program of their own to replace, or a signed archive: see their own tests.
    const elsewhere = ["restore", "upgrade", "archive rotate-key"];
    for (const { words, verb } of await everyVerb())
      if (verb.changes && !elsewhere.includes(words.join(" ")))
        expect(
          lines.some((line) => `${line} `.startsWith(`${words.join(" ")} `)),
          `${words.join(" ")} is tried`,
        ).toBe(true);
    const before = everything();
    for (const line of lines) {
      const { code, stdout, stderr } = ci.run(
        ...[...line.split(" "), "--dry-run", "--json"],
      );
      expect(code, `${line}: ${stderr}`).toBe(0);
      expect(JSON.parse(stdout), line).toMatchObject({
        plan: {
          command: expect.any(String) as string,
          actions: expect.any(Array) as string[],
        },
      });
      expect(everything(), line).toEqual(before);
    }
  });

  test("is refused where the real run would be", () => {
    create("hello");
    for (const line of [
      "cancel 9",
      "retry 1",
      "archive revert 7 --reason why",
      "uploaders add /dev/null",
      `uploaders remove ${"0".repeat(40)}`,
      "override 1 --ignore-step publish --reason x",
    ])
      expect(ci.run(...line.split(" "), "--dry-run").code, line).toBe(2);
  });
});
