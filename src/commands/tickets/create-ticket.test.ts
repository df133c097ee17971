import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
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

const files = (folder: string) =>
  existsSync(join(ci.state, folder)) ? readdirSync(join(ci.state, folder)) : [];

describe("create_ticket", () => {
  test("prints the number alone, and says what comes next", async () => {
    const changes = ci.upload("hello");
    const args = ["-t", "hello: try it", "-s", changes, "-v", "2"];
    const { code, stdout, stderr } = await ci.run("create_ticket", ...args);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "1\n" });
    expect(stderr).toContain(`ticket 1 is queued: \`${ci.line("status 1")}`);
    expect(files("store/ticket.1").sort()).toEqual([
      "hello_1.0.dsc",
      "hello_1.0.tar.xz",
      "hello_1.0_source.changes",
    ]);
    expect(files("scratch")).toEqual([]);
  });

  test("keeps everything that it is told", async () => {
    const { document } = await ci.json(
      "create_ticket",
      ...["-t", "two at once", "-d", "a\nlonger text", "-b", "12345"],
      ...["-o", "boss@example.com", "--priority", "7", "--wait"],
      ...["--add", "hello", "other", "--remove", "nano"],
      ...["--series", "bookworm"],
      ...["-s", ci.upload("hello"), "-s", ci.upload("other", "2.0")],
    );
    expect(document).toMatchObject({
      ticket: {
        id: 1,
        title: "two at once",
        description: "a\nlonger text",
        owner: "boss@example.com",
        bug: "https://bugs.launchpad.net/bugs/12345",
        series: "bookworm",
        priority: 7,
        status: "draft",
        add: ["hello", "other"],
        remove: ["nano"],
        base_image: null,
        queue_position: null,
        subtickets: [
          { source: "hello", version: "1.0" },
          { source: "other", version: "2.0" },
        ],
      },
    });
    expect(await ci.ok("status")).toMatch(
      /^# +status +step .*\n1 +draft +Queued +hello 1\.0, other 2\.0 +boss@example\.com +two at once$/,
    );
  });

  test("the owner's ETA stands beside the computed time until it is taken back", async () => {
    await ci.create("hello", "1.0", "--eta", "2999-05-01");
    expect((await ci.ticket(1)).eta).toBe("2999-05-01T00:00:00.000Z");
    expect((await ci.json("explain", "1")).document).toMatchObject({
      eta: "2999-05-01T00:00:00.000Z",
    });
    for (const command of ["status", "explain"])
      expect(await ci.ok(command, "1")).toMatch(
        /no estimate of when it will be done: .*\n {2}expected by its owner: 2999-05-01\n/,
      );
    const planned = await ci.ok("update_ticket", "1", "--eta=3d", "--dry-run");
    expect(planned).toMatch(/\n {2}set eta to \d{4}-/);
    await ci.ok("update_ticket", "1", "--eta", "none");
    expect((await ci.ticket(1)).eta).toBeNull();
    expect(await ci.ok("log", "1")).toMatch(/updated.*eta/);
    expect(
      await ci.run("update_ticket", "1", "--eta=2020-01-01"),
    ).toMatchObject({
      code: 2,
      stderr: saying("--eta: 2020-01-01 has passed already"),
    });
    const today = new Date().toISOString().slice(0, 10);
    await ci.ok("update_ticket", "1", "--eta", today);
  });

  test("--dry-run says what would be stored, and stores nothing", async () => {
    const changes = ci.upload("hello");
    const args = ["-t", "t", "-s", changes, "-b", "https://example.org/1"];
    const planned = await ci.ok("create_ticket", ...args, "--dry-run");
    expect(planned).toContain(
      'ticket "t" of dev@example.com for bookworm, bug https://example.org/1',
    );
    expect(planned).toMatch(/store hello_1\.0\.dsc, \d+ bytes/);
    expect(planned).toContain("queued");
    expect(await ci.ok("status")).toBe("no tickets");
    expect(files("store")).toEqual([]);
    expect(files("scratch")).toEqual([]);
  });

  test("every problem of what was typed is told at once", async () => {
    const { code, stdout } = await ci.run(
      "create_ticket",
      ...["-t", " ", "-d", "a\x07b", "-o", "nobody", "-b", "some bug"],
      ...["--add", "Not A Name", "--remove", "-x-", "--base-image", "a\nb"],
      ...["-s", ci.upload("hello"), "--json"],
    );
    expect(code).toBe(2);
    const { error } = JSON.parse(stdout) as {
      error: { message: string; problems: { where: string }[] };
    };
    expect(error.message).toBe("the ticket was not created");
    expect(error.problems.map(({ where }) => where)).toEqual([
      "--bug",
      "--title",
      "--description",
      "--owner",
      "--add",
      "--remove",
      "--base-image",
    ]);
    expect(await ci.ok("status")).toBe("no tickets");
  });

  test("an upload that is wrong is refused with every problem, and leaves nothing", async () => {
    const changes = ci.upload("hello");
    writeFileSync(
      changes.replace("_source.changes", ".tar.xz"),
      "something else",
    );
    expect(
      await ci.run("create_ticket", "-t", "t", "-s", changes),
    ).toMatchObject({ code: 2, stderr: saying("hello_1.0.tar.xz") });
    const gone = join(ci.root, "gone_1_source.changes");
    const { code, document } = await ci.json(
      "create_ticket",
      ...["-t", "t", "-s", gone],
    );
    expect(code).toBe(2);
    expect(document).toMatchObject({
      error: {
        exit: 2,
        problems: [{ where: saying("gone_1_source.changes") }],
      },
    });
    expect(files("store")).toEqual([]);
    expect(files("scratch")).toEqual([]);
  });

  test("a name that is added and removed is refused", async () => {
    const args = ["-t", "t", "-s", ci.upload("hello")];
    const both = ["--add", "hello", "--remove", "hello"];
    expect(await ci.run("create_ticket", ...args, ...both)).toMatchObject({
      code: 2,
      stderr: saying("--add: hello is named by --remove too"),
    });
  });

  test("without an address in Changed-By the owner has to be named", async () => {
    const changes = ci.upload("hello");
    const text = readFileSync(changes, "utf8");
    writeFileSync(changes, text.replace(/^Changed-By:.*$/m, "Changed-By: Dev"));
    const args = ["create_ticket", "-t", "t", "-s", changes];
    expect(await ci.run(...args)).toMatchObject({
      code: 2,
      stderr: saying("--owner"),
    });
    expect(await ci.ok(...args, "-o", "dev@example.org")).toBe("1");
  });

  test("what is in flight, or not above what is published, is refused", async () => {
    await ci.create("hello");
    const again = ["create_ticket", "-t", "again", "-s", ci.upload("hello")];
    expect(await ci.run(...again)).toMatchObject({
      code: 2,
      stderr: saying("ticket 1"),
    });
    await ci.ok("land");
    expect(await ci.run(...again)).toMatchObject({
      code: 2,
      stderr: saying("Version: 1.0 is not higher than 1.0"),
    });
    expect(await ci.create("hello", "1.1")).toBe("2");
  });

  test("an unsigned upload is refused where signatures are required", async () => {
    ci.configure({ admission: { signatures: "required" } });
    const args = ["create_ticket", "-t", "t", "-s", ci.upload("hello")];
    expect(await ci.run(...args)).toMatchObject({
      code: 2,
      stderr: saying("sign"),
    });
  });
});

describe("update_ticket", () => {
  test("changes what it is told, and --dry-run only says it", async () => {
    await ci.create("hello");
    const change = [
      ...["-t", "better", "-d", "why", "-b", "https://example.org/2"],
      ...["-o", "new@example.com", "--add", "a1", "b1", "--remove", "c1"],
      ...["--priority", "3"],
    ];
    const planned = await ci.ok("update_ticket", "1", ...change, "--dry-run");
    expect(planned.split("\n")).toEqual([
      "ticket 1: update_ticket",
      "  set title to better",
      "  set description to why",
      "  set bug to https://example.org/2",
      "  set owner to new@example.com",
      "  add a1, b1 to the image",
      "  remove c1 from the image",
      "  set priority to 3",
    ]);
    expect((await ci.ticket(1)).title).toBe("land hello");
    expect(await ci.run("update_ticket", "1", ...change, "-v", "2")).toEqual({
      code: 0,
      stdout: "ticket 1 was changed\n",
      stderr: "",
    });
    expect(await ci.ticket(1)).toMatchObject({
      title: "better",
      description: "why",
      bug: "https://example.org/2",
      owner: "new@example.com",
      add: ["a1", "b1"],
      remove: ["c1"],
      priority: 3,
    });
    expect(await ci.ok("log", "1")).toMatch(
      / updated +hello 1\.0: set title to better; .*set owner to new@example\.com; .*set priority to 3 \(/,
    );
  });

  test("the priority changes the order; a started ticket keeps its", async () => {
    await ci.create("one");
    await ci.create("two");
    await ci.ok("update_ticket", "2", "--priority", "5");
    expect((await ci.ticket(2)).queue_position).toBe(1);
    await ci.ok("assign-ppa");
    for (const change of [["--priority", "1"], ["--hold"], ["--add", "xy"]])
      expect(await ci.run("update_ticket", "2", ...change)).toMatchObject({
        code: 2,
        stderr: saying("ticket 2 has started (Package Building)"),
      });
    await ci.ok("update_ticket", "2", "-t", "still");
    expect((await ci.ticket(2)).title).toBe("still");
  });

  test("a held ticket lets others pass until it is queued", async () => {
    await ci.create("one");
    await ci.create("two");
    await ci.ok("update_ticket", "1", "--hold");
    expect(await ci.ticket(1)).toMatchObject({
      status: "held",
      queue_position: null,
    });
    expect(await ci.run("land", "--ticket", "1")).toMatchObject({
      code: 2,
      stderr: saying(ci.line("update_ticket 1 --queue")),
    });
    await ci.ok("land");
    expect((await ci.ticket(2)).status).toBe("done");
    expect((await ci.ticket(1)).runs).toEqual([]);
    await ci.ok("update_ticket", "1", "--queue");
    await ci.ok("land");
    expect((await ci.ticket(1)).status).toBe("done");
  });

  test("is refused when it names nothing, contradicts itself, or is no such ticket", async () => {
    await ci.create("hello");
    for (const [args, message] of [
      [["1"], "nothing to change was named"],
      [["1", "--queue", "--hold"], "--queue and --hold exclude each other"],
      [["1", "-t", ""], "--title: is empty"],
      [["1", "-b", "tea"], '--bug: "tea" is neither a number'],
      [["1", "--add", "A"], '--add: "A" is not the name of a binary package'],
      [["9", "-t", "x"], "there is no ticket 9"],
    ] as const)
      expect(await ci.run("update_ticket", ...args)).toMatchObject({
        code: 2,
        stderr: saying(message),
      });
  });
});

describe("status", () => {
  test("lists tickets by step, owner and whether they are open", async () => {
    ci.configure({ fake: { builder: "two=fail" } });
    await ci.create("one");
    await ci.create("two", "1.0", "-o", "boss@example.com");
    await ci.run("land");
    await ci.create("three", "1.0", "--wait");
    const listed = async (...args: string[]) => {
      const { document } = await ci.json("status", ...args);
      const { tickets } = document as { tickets: { id: number }[] };
      return tickets.map(({ id }) => id);
    };
    expect(await listed()).toEqual([1, 2, 3]);
    expect(await listed("--open")).toEqual([3]);
    expect(await listed("--owner", "boss@example.com")).toEqual([2]);
    expect(await listed("--step", "Complete")).toEqual([1]);
    expect(await listed("--step", "999")).toEqual([2]);
    expect(await ci.run("status", "1", "--open")).toMatchObject({
      code: 2,
      stderr: saying("exclude each other"),
    });
  });

  test("shows a ticket in full", async () => {
    await ci.create("hello", "1.0", "-d", "what for", "-b", "7");
    const waiting = await ci.ok("status", "1");
    expect(waiting).toMatch(
      /^ticket 1: land hello\n {2}waiting, Queued \(100\)/,
    );
    for (const line of [
      "  owner dev@example.com, series bookworm, priority 0",
      "  what for",
      "  bug https://bugs.launchpad.net/bugs/7",
      "  position 1 in the queue",
      "  hello 1.0: waiting, builds hello",
    ])
      expect(waiting.split("\n")).toContain(line);
    await ci.ok("land");
    const done = await ci.ok("status", "1");
    expect(done).toContain("  published as archive revision 1");
    expect(done).toMatch(/^ {2}Image Testing +passed +\d+s +20/m);
    expect(done).toMatch(/^ {2}hello\/fake +pass +\d+s$/m);
    expect(done).toMatch(/^ {2}hello_1\.0_amd64\.deb +RESULTS /m);
  });

  test("tells the time that a ticket can expect, once enough have landed", async () => {
    for (const name of ["aa", "bb", "cc", "dd", "ee"]) await ci.create(name);
    await ci.ok("land");
    await ci.create("next");
    expect((await ci.ticket(6)).expected).toMatchObject({
      landings: 5,
      unknown: null,
    });
    expect(await ci.ok("status", "6")).toMatch(/complete/);
    expect(await ci.ok("explain", "6")).toMatch(/complete/);
  });
});
