import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { InProcess } from "../../../test/support/in-process.ts";

let fresh: InProcess;
let ci: InProcess;

/** A base of the name that `init` would give it, with the distribution's lists. */
const base = "base-bookworm-0123456789ab";
function makeBase(installation: InProcess, packages: string): void {
  const folder = join(installation.state, "layers", base);
  const lists = join(folder, "root/var/lib/apt/lists");
  mkdirSync(lists, { recursive: true });
  writeFileSync(join(lists, "mirror_dists_bookworm_main_Packages"), packages);
  writeFileSync(
    join(folder, "layer.json"),
    JSON.stringify({
      ...{ name: base, kind: "base", digest: "sha256:00", below: [] },
      ...{ series: "bookworm", architecture: "amd64" },
      created_at: "2026-01-01T00:00:00.000Z",
    }),
  );
}

beforeAll(async () => {
  fresh = await InProcess.init();
  makeBase(
    fresh,
    `Package: sl
Version: 5.02-1

Package: exim4
Version: 4.96
Provides: mail-transport-agent

Package: postfix
Version: 3.7
Provides: mail-transport-agent, postfix-only
`,
  );
});
afterAll(() => fresh.remove());
afterEach(() => ci.remove());

const start = (config: object = {}) => (ci = fresh.copy(config));

const create = (...options: string[]) =>
  ci.run("create_ticket", "-t", "x", ...options);

/** What a refusal says, once it is seen that nothing was left behind. */
async function refusal(...options: string[]): Promise<string> {
  const { code, stdout, stderr } = await create(...options);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(await ci.ok("status")).toBe("no tickets");
  expect(ci.sql("SELECT * FROM artifact")).toEqual([]);
  expect(readdirSync(join(ci.state, "store"))).toEqual([]);
  expect(readdirSync(join(ci.state, "scratch"))).toEqual([]);
  return stderr;
}

describe("the image of a ticket", () => {
  test.each([
    ["--add", "nosuchpkg"],
    ["--remove", "nosuchpkg"],
  ])("%s of a package that nobody has is refused", async (option, name) => {
    start();
    expect(await refusal("-s", ci.upload("hello"), option, name)).toContain(
      `${option}: ${name} is a package of neither this ticket, nor the archive, nor bookworm`,
    );
  });

  test("packages of the ticket, of the distribution and of the archive are known", async () => {
    start();
    await ci.create("tool");
    await ci.ok("land");
    const names = ["hello", "sl", "tool", "postfix-only"];
    const id = await ci.create("hello", "1.0", "--add", ...names);
    expect(await ci.ticket(id)).toMatchObject({ add: names });
  });

  test("a name that several packages provide is refused", async () => {
    start();
    const options = ["--add", "mail-transport-agent"];
    expect(await refusal("-s", ci.upload("hello"), ...options)).toContain(
      "--add: mail-transport-agent is provided by several packages: name one of exim4, postfix",
    );
  });

  test("where no lists tell what the distribution has, any name is taken", async () => {
    start();
    rmSync(join(ci.state, "layers", base), { recursive: true });
    await ci.create("hello", "1.0", "--add", "nosuchpkg");
  });

  test("an unknown base is refused, with those that there are", async () => {
    start();
    for (const name of ["foo", "../layers", "base-bookworm-000000000000"])
      expect(
        await refusal("-s", ci.upload("hello"), "--base-image", name),
      ).toContain(
        `--base-image: there is no base "${name}"; there are ${base} (newest)`,
      );
    await ci.create("hello", "1.0", "--base-image", base);
  });

  test("a base of another series is refused", async () => {
    start();
    const file = join(ci.state, "layers", base, "layer.json");
    writeFileSync(
      file,
      readFileSync(file, "utf8").replace('"bookworm"', '"trixie"'),
    );
    expect(
      await refusal("-s", ci.upload("hello"), "--base-image", base),
    ).toContain(
      `--base-image: ${base} is a base of trixie, not of bookworm; there is none to name`,
    );
  });

  test("cannot be changed to what it could not be created with", async () => {
    start();
    const id = await ci.create("hello", "1.0", "--add", "hello", "sl");
    const { code, stderr } = await ci.run(
      ...["update_ticket", id, "--add", "nosuchpkg", "--remove", "nothing"],
    );
    expect(code).toBe(2);
    expect(stderr).toContain("--add: nosuchpkg is a package of neither");
    expect(stderr).toContain("--remove: nothing is a package of neither");
    for (const dryRun of [[], ["--dry-run"]])
      expect(
        (await ci.run("update_ticket", id, "--remove", "sl", ...dryRun)).stderr,
      ).toContain("--add: sl is named by --remove too");
    expect(await ci.ticket(id)).toMatchObject({ add: ["hello", "sl"] });
    await ci.ok("update_ticket", id, "--add", "hello", "--remove", "sl");
  });

  test("is in the plan of a dry run", async () => {
    start();
    const options = ["--add", "hello", "--remove", "sl", "--base-image", base];
    const plan = await ci.ok(
      ...["create_ticket", "-t", "x", "-s", ci.upload("hello"), ...options],
      ...["--priority", "5", "--dry-run"],
    );
    expect(plan).toContain(`image from the base ${base}`);
    expect(plan).toContain("add hello to the image");
    expect(plan).toContain("remove sl from the image");
    expect(plan).toContain("queued, with priority 5");
  });
});

test("everything that is wrong is named at once, options and uploads alike", async () => {
  start();
  const other = ci.upload("other", "1.0", { architecture: "i386" });
  rmSync(other.replace("_source.changes", ".tar.xz"));
  const said = await refusal(
    ...["-s", ci.upload("hello", "1.0", { distribution: "sid" }), "-s", other],
    ...["-b", "bug", "-o", "nobody", "--base-image", "foo"],
  );
  for (const problem of [
    '--bug: "bug" is neither',
    '--owner: "nobody" is not an email address',
    'Distribution: "sid" is not a series here',
    "Files: other_1.0.tar.xz is missing",
    "other_1.0.dsc: Architecture: is i386: there is nothing to build on",
    '--base-image: there is no base "foo"',
  ])
    expect(said).toContain(problem);
});

describe("sources that build-depend on each other", () => {
  const circle = (ci: InProcess, first: string, second: string) => [
    ...["-s", ci.upload("cira", "1.0", { buildDepends: first })],
    ...["-s", ci.upload("cirb", "1.0", { buildDepends: second })],
  ];

  test("are refused with the circle", async () => {
    start();
    expect(
      await refusal(...circle(ci, "cirb (>= 1), sl", "sl | cira, cira")),
    ).toContain(
      "cira_1.0.dsc: Build-Depends: goes in a circle, none of which is there without it: cira build-depends on cirb, that on cira",
    );
  });

  test("are accepted where a first alternative leads out of it", async () => {
    start();
    expect((await create(...circle(ci, "cirb", "sl | cira"))).code).toBe(0);
  });

  test.each(["the archive", "the distribution"])(
    "are accepted where %s has one of them, which opens the circle",
    async (place) => {
      start();
      if (place === "the archive") {
        await ci.create("cira", "0.5");
        await ci.ok("land");
      } else makeBase(ci, "Package: cira\nVersion: 0.5\n");
      const sources = circle(ci, "cirb", "cira (>= 0.4)");
      const { stdout } = await create(...sources);
      await ci.ok("assign-ppa");
      expect(await ci.ok("build-source", "--dry-run")).toMatch(
        /build cirb 1\.0[^]*build cira 1\.0/,
      );
      await ci.ok("land");
      expect((await ci.ticket(stdout.trim())).status).toBe("done");
    },
  );

  test("are refused where the version there is too old", async () => {
    start();
    makeBase(ci, "Package: cira\nVersion: 0.5\n");
    expect(await refusal(...circle(ci, "cirb", "cira (>= 1)"))).toContain(
      "goes in a circle",
    );
  });
});

describe("an upstream tarball", () => {
  const orig = "hello_1.0.orig.tar.gz";
  const files = (revision: string, upstream: string) => ({
    [orig]: upstream,
    [`hello_1.0-${revision}.debian.tar.xz`]: `revision ${revision}`,
  });

  test("that the archive has need not be uploaded again, and cannot be replaced", async () => {
    start();
    const first = ci.upload("hello", "1.0-1", {
      files: files("1", "upstream"),
    });
    await create("-s", first);
    await ci.ok("land");
    // The data store may have forgotten it.
    rmSync(join(ci.state, "store/ticket.1", orig));
    const uploaded = ["hello_1.0-2.debian.tar.xz"];
    const again = { files: files("2", "upstream"), uploaded };
    const second = ci.upload("hello", "1.0-2", again);
    rmSync(join(second, "..", orig));
    const id = (await create("-s", second)).stdout.trim();
    const { artifacts } = await ci.ticket(id);
    const taken = artifacts.find(({ name }) => name === orig);
    expect(taken?.type).toBe("SPU");
    expect(
      readFileSync(ci.stored(taken ?? { container: "", name: "" }), "utf8"),
    ).toBe("upstream");
    const third = ci.upload("hello", "1.0-3", { files: files("3", "altered") });
    const { code, stderr } = await create("-s", third);
    expect(code).toBe(2);
    expect(stderr).toContain(
      `hello_1.0-3.dsc: Checksums-Sha256: ${orig} is in the archive with other contents`,
    );
    expect(stderr).toContain("raise the upstream version");
  });

  test("that a ticket in flight has with other contents is refused", async () => {
    start();
    await create("-s", ci.upload("hello", "1.0-1", { files: files("1", "a") }));
    const same = ci.upload("hello", "1.0-2", { files: files("2", "a") });
    expect((await create("-s", same)).code).toBe(0);
    const other = ci.upload("hello", "1.0-3", { files: files("3", "b") });
    const { code, stderr } = await create("-s", other);
    expect(code).toBe(2);
    expect(stderr).toContain(
      `hello_1.0-3.dsc: Checksums-Sha256: ${orig} is in ticket 1, which is in flight, with other contents`,
    );
    for (const id of ["1", "2"]) await ci.ok("cancel", id, "--reason", "x");
    expect((await create("-s", other)).code).toBe(0);
  });
});

describe("the Distribution of an upload", () => {
  test.each(["proposed-updates", "backports", "backports-sloppy", "security"])(
    "may be that of a series with -%s",
    async (pocket) => {
      start();
      const distribution = `bookworm-${pocket}`;
      await create("-s", ci.upload("hello", "1.0", { distribution }));
      expect((await ci.ticket(1)).series).toBe("bookworm");
    },
  );

  test("is what the table of the configuration says", async () => {
    start({
      admission: {
        signatures: "optional",
        suites: { stable: "bookworm", "SERIES-fasttrack.net": "SERIES" },
      },
    });
    for (const distribution of ["stable", "bookworm-fasttrack.net"])
      expect(
        (
          await create(
            ...[
              "-s",
              ci.upload(`from-${distribution}`, "1.0", { distribution }),
            ],
          )
        ).code,
      ).toBe(0);
    const security = { distribution: "bookworm-security" };
    expect(
      (await create("-s", ci.upload("hello", "1.0", security))).stderr,
    ).toContain('"bookworm-security" is not a series here');
  });
});
