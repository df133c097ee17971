import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { AptRepository } from "../src/lib/backends/apt-repository.ts";
import { aptlyArchive } from "../src/lib/backends/archive/aptly.ts";
import type { Archive } from "../src/lib/backends/archive/archive.ts";
import type {
  Builder,
  BuildResult,
} from "../src/lib/backends/builder/builder.ts";
import { remedy } from "../src/lib/domain/remedy.ts";
import { createSbuildBuilder } from "../src/lib/backends/builder/sbuild.ts";
import { createSessionBuilder } from "../src/lib/backends/builder/session.ts";
import type { ImageResult } from "../src/lib/backends/imager/imager.ts";
import { createSessionImager } from "../src/lib/backends/imager/session.ts";
import { aptlyPool } from "../src/lib/backends/pool/aptly.ts";
import type { Pool } from "../src/lib/backends/pool/pool.ts";
import { createAutopkgtestTester } from "../src/lib/backends/tester/autopkgtest.ts";
import type { TestRunResult } from "../src/lib/backends/tester/tester.ts";
import type { RunContext } from "../src/lib/backends/run-context.ts";
import type { Progress } from "../src/lib/domain/ticket.ts";
import { configOf } from "../src/lib/config/config.ts";
import { statePaths, type StatePaths } from "../src/lib/host/paths.ts";
import { makeBase } from "../src/lib/session/make-base.ts";
import { removeTree } from "../src/lib/session/remove-tree.ts";
import {
  greeter,
  writeSource,
  type TinyPackage,
} from "./support/tiny-package.ts";

// Real sessions, real tools, tiny packages of our own: nothing is downloaded but the base, and that
// only where UBUNTU_CI_TEST_STATE_DIR names no state folder to borrow one from.

const series = "bookworm";
const minutes = 60_000;
const limits = {
  timeoutMs: 10 * minutes,
  allow: [],
  reach: "internet" as const,
};

let root: string;
let paths: StatePaths;
let archive: Archive;
let pool: Pool;
let ppa: AptRepository;
let count = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "backends."));
  paths = statePaths(join(root, "state"));
  await mkdir(paths.layers, { recursive: true });
  const lender = process.env["UBUNTU_CI_TEST_STATE_DIR"];
  if (lender === undefined) await makeBase(paths, series, configOf({}, null));
  else {
    const { layers } = statePaths(lender);
    for (const name of await readdir(layers))
      if (name.startsWith(`base-${series}-`))
        await symlink(join(layers, name), join(paths.layers, name));
  }
  archive = aptlyArchive(paths, "Tiny");
  pool = aptlyPool(paths, "Tiny");
  await archive.init([series]);
  ppa = await pool.reset("ci_pool-001", series);
});

afterAll(async () => {
  await removeTree(root);
});

async function workFor(
  signal = new AbortController().signal,
): Promise<RunContext & { readonly told: Omit<Progress, "at">[] }> {
  const scratch = join(root, `work-${(count += 1)}`);
  await mkdir(scratch);
  const told: Omit<Progress, "at">[] = [];
  return {
    scratch,
    signal,
    told,
    progress: (update) => told.push(update),
    note: () => undefined,
  };
}

async function sourceOf(tiny: TinyPackage): Promise<string> {
  const folder = join(root, `source-${(count += 1)}`);
  // The data store's folders may be closed to all but their owner.
  await mkdir(folder, { mode: 0o700 });
  return writeSource(folder, tiny);
}

const sessionBuilder = () =>
  createSessionBuilder({ paths, parallel: 2, ...limits });
const sbuildBuilder = () =>
  createSbuildBuilder({ paths, parallel: 2, ...limits });

async function build(
  tiny: TinyPackage,
  {
    builder = sessionBuilder(),
    repositories = [],
  }: { builder?: Builder; repositories?: readonly AptRepository[] } = {},
): Promise<BuildResult & { dsc: string }> {
  const dsc = await sourceOf(tiny);
  const { source, version } = tiny;
  const result = await builder.build(
    { source, version, series, dsc, repositories },
    await workFor(),
  );
  return { ...result, dsc };
}

async function logOf(result: { log: { path: string } | null }) {
  return result.log === null ? "" : readFile(result.log.path, "utf8");
}

async function expectPassed(
  result: { outcome: string; reason: string | null } & {
    log: { path: string } | null;
  },
): Promise<void> {
  if (result.outcome !== "passed")
    throw new Error(`${result.reason ?? ""}\n${await logOf(result)}`);
}

const debsOf = (result: BuildResult) =>
  result.files.filter(({ name }) => name.endsWith(".deb"));

async function sums(result: BuildResult): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { name, path } of debsOf(result))
    found[name] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  return found;
}

/** Builds a package into the PPA. */
async function intoPpa(tiny: TinyPackage): Promise<string> {
  const result = await build(tiny, { repositories: [ppa] });
  await expectPassed(result);
  await pool.add("ci_pool-001", series, [
    result.dsc,
    ...debsOf(result).map(({ path }) => path),
  ]);
  return result.dsc;
}

async function image(
  add: readonly string[],
  remove: readonly string[] = [],
): Promise<ImageResult> {
  return createSessionImager({ paths, ...limits }).buildImage(
    {
      ticket: 1,
      series,
      baseImage: null,
      add,
      remove,
      repositories: [ppa, await archive.repository(series)],
      types: ["rootfs"],
    },
    await workFor(),
  );
}

const library: TinyPackage = {
  source: "tinylib",
  version: "1.0",
  binaries: {
    libtiny1: "Architecture: any",
    "libtiny-dev": "Architecture: any\nDepends: libtiny1 (= ${binary:Version})",
  },
  build: [
    "gcc -g -O2 -fPIC -shared -Wl,-soname,libtiny.so.1 -o libtiny.so.1 tiny.c",
  ],
  install: [
    "install -D libtiny.so.1 debian/libtiny1/usr/lib/libtiny.so.1",
    "install -D -m 644 tiny.h debian/libtiny-dev/usr/include/tiny.h",
    "mkdir -p debian/libtiny-dev/usr/lib",
    "ln -s libtiny.so.1 debian/libtiny-dev/usr/lib/libtiny.so",
  ],
  files: {
    "tiny.c": `int tiny(void) { return 42; }\n`,
    "tiny.h": `int tiny(void);\n`,
  },
};

const user: TinyPackage = {
  ...greeter("tinyuser", "2.0", {
    "greet.c": `#include <stdio.h>
#include <tiny.h>
int main(void) { printf("tiny says %d\\n", tiny()); return tiny() != 42; }
`,
    "debian/tests/control": `Test-Command: tinyuser | grep 42\nDepends: @\n`,
  }),
  buildDepends: "libtiny-dev (= 1.0)",
  binaries: { tinyuser: "Architecture: any\nDepends: libtiny1 (>= 1.0)" },
  build: ["gcc -g -O2 -o greet greet.c -ltiny"],
};

describe("building", () => {
  test("both builders give the same packages, bit for bit", async () => {
    const inSession = await build(library);
    await expectPassed(inSession);
    const bySbuild = await build(library, { builder: sbuildBuilder() });
    await expectPassed(bySbuild);
    expect(Object.keys(await sums(inSession)).sort()).toEqual([
      "libtiny-dev_1.0_amd64.deb",
      "libtiny1_1.0_amd64.deb",
    ]);
    expect(await sums(bySbuild)).toEqual(await sums(inSession));
    for (const { files, base } of [inSession, bySbuild]) {
      expect(base).toMatch(/^sha256:[0-9a-f]{64}$/);
      const names = files.map(({ name }) => name);
      expect(names).toContain("tinylib_1.0_amd64.changes");
      expect(names).toContain("tinylib_1.0_amd64.buildinfo");
    }
  });

  test("fakeroot's daemon and other orphans that end do not end the session", async () => {
    const rooted = greeter("rooted", "1.0");
    const result = await build({
      ...rooted,
      needsRoot: "binary-targets",
      build: [...rooted.build, "(sleep 0.1 &) ; sleep 0.3"],
    });
    await expectPassed(result);
    expect(await logOf(result)).toContain("fakeroot debian/rules");
  });

  test("the compile is a plain user's, without network but with localhost", async () => {
    const result = await build({
      ...greeter("curious", "1"),
      build: [
        "id -u; test $$(id -u) != 0",
        'perl -MIO::Socket::INET -e \'my $$server = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die; IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $$server->sockport) or die\'',
        "test \"$$(ls /sys/class/net 2>/dev/null; sed -n 's/:.*//p' /proc/net/dev | tr -d ' ' | sort | tr '\\n' ' ')\" != '' && test \"$$(sed -n 's/:.*//p' /proc/net/dev | tr -d ' ')\" = lo",
        "gcc -o greet greet.c",
      ],
    });
    await expectPassed(result);
  });

  test("what does not compile fails, and the reason quotes the compiler", async () => {
    const broken = greeter("broken", "1", {
      "greet.c": `int main(void) { return undeclared; }\n`,
    });
    for (const builder of [sessionBuilder(), sbuildBuilder()]) {
      const result = await build(broken, { builder });
      expect(result).toMatchObject({ outcome: "failed", files: [] });
      expect(result.reason).toMatch(/greet\.c:1:25: error: .undeclared/);
      expect(await logOf(result)).toContain("undeclared");
    }
  });

  test("a build dependency that nothing provides is the package's fault", async () => {
    const wanting = {
      ...greeter("wanting", "1"),
      buildDepends: "no-such-package",
    };
    for (const builder of [sessionBuilder(), sbuildBuilder()]) {
      const result = await build(wanting, { builder });
      expect(result).toMatchObject({ outcome: "failed", files: [] });
      expect(result.reason).toContain("no-such-package");
    }
  });

  test("a build that says it is done without a package is not", async () => {
    const result = await build({
      ...greeter("liar", "1"),
      binaries: { liar: "Architecture: any" },
      install: [
        "install -D greet debian/liar/usr/bin/liar",
        // It cannot be found out from the exit code.
        "printf 'other_1_amd64.deb misc optional\\n' >debian/files",
      ],
    });
    expect(result.outcome).toBe("failed");
    expect(result.files).toEqual([]);
  });

  test("a missing base is not the package's fault", async () => {
    const tiny = greeter("homeless", "1");
    const building = sessionBuilder().build(
      {
        source: tiny.source,
        version: tiny.version,
        series: "noble",
        dsc: await sourceOf(tiny),
        repositories: [],
      },
      await workFor(),
    );
    // Nor is it worth a retry: a person has to make one first.
    await expect(building).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining("noble") as string,
      hint: remedy("init", [], { series: "noble" }),
    });
  });

  test("the PPA wins over the distribution, also with the same version", async () => {
    const { stdout } = await promisify(execFile)("apt-cache", [
      "madison",
      "hello",
    ]);
    const version = /\|\s*(\S+)\s*\|/.exec(stdout)?.[1] ?? "";
    expect(version).not.toBe("");
    await intoPpa(greeter("hello", version));
    const asking = {
      ...greeter("asking", "1"),
      buildDepends: "hello",
      build: [
        "hello | grep 'greetings from hello' >said.h",
        "gcc -o greet greet.c",
      ],
      install: ["install -D said.h debian/asking/usr/share/asking/said"],
    };
    const results = [];
    for (const builder of [sessionBuilder(), sbuildBuilder()]) {
      const result = await build(asking, { builder, repositories: [ppa] });
      await expectPassed(result);
      results.push(await sums(result));
    }
    expect(results[1]).toEqual(results[0]);
  });

  test("a build that never ends is ended: by its time limit, or by us", async () => {
    const endless = { ...greeter("endless", "1"), build: ["sleep 86400"] };
    const late = await build(endless, {
      builder: createSessionBuilder({
        paths,
        parallel: 2,
        timeoutMs: 4000,
        allow: [],
      }),
    });
    expect(late).toMatchObject({ outcome: "failed" });
    expect(late.reason).toContain("time limit");

    const cancel = new AbortController();
    const work = await workFor(cancel.signal);
    const dsc = await sourceOf(endless);
    const progress = work.progress.bind(work);
    const cancelled = await sessionBuilder().build(
      { source: "endless", version: "1", series, dsc, repositories: [] },
      {
        ...work,
        progress(update) {
          progress(update);
          if (update.message.startsWith("compiling")) cancel.abort();
        },
      },
    );
    expect(cancelled).toMatchObject({ outcome: "tmpfail" });
    expect(cancelled.reason).toContain("cancelled");
    expect(await processesNamed("86400")).toEqual([]);
  });

  test("a package is built against the one before it, and its dependencies are kept", async () => {
    await intoPpa(library);
    const before = await kept("build-deps-");
    await intoPpa(user);
    const after = await kept("build-deps-");
    expect(after).toHaveLength(before.length + 1);
    const again = await build(user, { repositories: [ppa] });
    await expectPassed(again);
    expect(await kept("build-deps-")).toEqual(after);
  });
});

describe("a tool that is not installed", () => {
  /** A PATH with everything but those tools. */
  async function pathWithout(...tools: readonly string[]): Promise<string> {
    const folder = join(root, `path-${(count += 1)}`);
    await mkdir(folder);
    for (const from of ["/usr/sbin", "/usr/bin"])
      for (const name of await readdir(from))
        if (!tools.includes(name))
          await symlink(join(from, name), join(folder, name)).catch(
            () => undefined,
          );
    return folder;
  }

  test.each([
    [
      "sbuild",
      "sbuild",
      () => build(greeter("tiny", "1"), { builder: sbuildBuilder() }),
    ],
    ["unshare", "util-linux", () => build(greeter("tiny", "1"))],
    ["zstd", "zstd", () => image([])],
    [
      "autopkgtest",
      "autopkgtest",
      async () => {
        const dsc = await sourceOf(greeter("tiny", "1"));
        return createAutopkgtestTester({ paths, ...limits }).test(
          {
            source: "tiny",
            version: "1",
            series,
            dsc,
            image: { layers: [], digest: "", manifest: [] },
            repositories: [],
          },
          await workFor(),
        );
      },
    ],
    ["aptly", "aptly", () => pool.reset("ci_pool-002", series)],
  ] as const)(
    "%s: the package to install is named at once",
    async (tool, name, work) => {
      const before = process.env["PATH"];
      process.env["PATH"] = await pathWithout(tool);
      try {
        await expect(work()).rejects.toMatchObject({
          exitCode: 78,
          message: `${tool} is not installed`,
          hint: { program: "apt-get", verb: "install", args: [name] },
        });
      } finally {
        process.env["PATH"] = before;
      }
    },
  );
});

async function kept(prefix: string): Promise<readonly string[]> {
  return (await readdir(paths.layers))
    .filter((name) => name.startsWith(prefix))
    .sort();
}

/** Command lines of running processes in which a word stands alone, or a pattern is found. */
async function processesNamed(
  word: string | RegExp,
): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "args="]);
  return stdout
    .split("\n")
    .filter((line) =>
      typeof word === "string"
        ? line.split(/\s+/).includes(word)
        : word.test(line),
    );
}

describe("imaging", () => {
  test("the image has the PPA's packages, and nothing of ours, twice the same", async () => {
    await intoPpa(library);
    await intoPpa(user);
    const first = await image(["tinyuser"]);
    await expectPassed(first);
    expect(first.files.map(({ name }) => name)).toEqual([
      "ticket-1.rootfs.tar.zst",
      "ticket-1.manifest.json",
    ]);
    const own = first.image?.manifest.filter(
      ({ from }) => from === "ci_pool-001",
    );
    expect(own).toEqual([
      {
        package: "libtiny1",
        version: "1.0",
        architecture: "amd64",
        from: "ci_pool-001",
      },
      {
        package: "tinyuser",
        version: "2.0",
        architecture: "amd64",
        from: "ci_pool-001",
      },
    ]);
    const [tarball] = first.files;
    const { stdout } = await promisify(execFile)(
      "tar",
      ["--list", "--verbose", "--numeric-owner", "--file", tarball?.path ?? ""],
      { maxBuffer: 1 << 28 },
    );
    const entries = stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(/\s+/))
      .map(([mode = "", owner = "", size = "", , , name = ""]) => ({
        mode,
        owner,
        size,
        name,
      }));
    const entry = (name: string) =>
      entries.find((candidate) => candidate.name === name);
    expect(entry("./usr/bin/tinyuser")).toMatchObject({
      mode: "-rwxr-xr-x",
      owner: "0/0",
    });
    expect(entry("./etc/shadow")?.owner).toBe("0/42");
    expect(entry("./etc/machine-id")?.size ?? "0").toBe("0");
    const strange = entries.filter(({ name }) =>
      /^\.\/(?:run\/ubuntu-ci|run\/host|var\/lib\/apt\/lists\/.+_|var\/cache\/apt\/.+\.bin|var\/log\/apt\/.|etc\/apt\/.*ubuntu-ci|proc\/.|sys\/.|tmp\/.|usr\/sbin\/policy-rc\.d$)/.test(
        name,
      ),
    );
    expect(strange).toEqual([]);

    const second = await image(["tinyuser"]);
    await expectPassed(second);
    expect(second.image).toEqual(first.image);
  });

  test("a package that cannot be installed fails, in apt's words", async () => {
    await intoPpa({
      ...greeter("lonely", "1"),
      binaries: { lonely: "Architecture: any\nDepends: no-such-friend" },
    });
    const result = await image(["lonely"]);
    expect(result).toMatchObject({ outcome: "failed", image: null });
    expect(result.reason).toContain("no-such-friend");
  });

  test("packages are removed", async () => {
    await intoPpa(greeter("guest", "1"));
    const result = await image(["guest"], ["fakeroot"]);
    await expectPassed(result);
    const names = result.image?.manifest.map((entry) => entry.package);
    expect(names).toContain("guest");
    expect(names).not.toContain("fakeroot");
  });

  test("the PPA wins over the distribution, also with the same version", async () => {
    const { stdout } = await promisify(execFile)("apt-cache", [
      "madison",
      "hello",
    ]);
    const version = /\|\s*(\S+)\s*\|/.exec(stdout)?.[1] ?? "";
    expect(version).not.toBe("");
    await intoPpa({
      ...greeter("hello", version),
    });
    const result = await image(["hello"]);
    await expectPassed(result);
    expect(
      result.image?.manifest.find((entry) => entry.package === "hello"),
    ).toMatchObject({ version, from: "ci_pool-001" });
  });
});

describe("testing", () => {
  async function testOf(
    tiny: TinyPackage,
    work?: RunContext,
    allow: readonly string[] = [],
  ): Promise<TestRunResult> {
    const dsc = await intoPpa(tiny);
    const made = await image(Object.keys(tiny.binaries));
    await expectPassed(made);
    if (made.image === null) throw new Error("no image");
    const { source, version } = tiny;
    return createAutopkgtestTester({ paths, ...limits, allow }).test(
      {
        source,
        version,
        series,
        dsc,
        image: made.image,
        repositories: [ppa, await archive.repository(series)],
      },
      work ?? (await workFor()),
    );
  }

  const withTests = (
    source: string,
    control: string,
    files: Readonly<Record<string, string>> = {},
  ) =>
    greeter(source, "1", {
      "debian/tests/control": control,
      ...Object.fromEntries(
        Object.entries(files).map(([name, text]) => [
          `debian/tests/${name}`,
          `#!/bin/sh\n${text}\n`,
        ]),
      ),
    });

  test("a passing test passes, with its seconds, its log and its output", async () => {
    const work = await workFor();
    const result = await testOf(
      withTests("merry", "Tests: greets\nDepends: @\n", {
        greets: "merry | grep greetings",
      }),
      work,
    );
    await expectPassed(result);
    expect(result).toMatchObject({
      exitCode: 0,
      reason: null,
      tests: [{ package: "merry", name: "greets", result: "pass" }],
    });
    expect(result.tests[0]?.seconds).toBeGreaterThan(0);
    expect(result.log?.name).toBe("merry.autopkgtest.log");
    expect(await logOf(result)).toContain("greetings from merry");
    expect(result.output?.name).toBe("merry.autopkgtest.tar.zst");
    expect(work.told).toContainEqual(
      expect.objectContaining({ state: "STATUS", total: 1 }),
    );
  });

  test("a failing test fails the package, and says which", async () => {
    const result = await testOf(
      withTests("grumpy", "Tests: good, bad\nDepends: @\n", {
        good: "true",
        bad: "echo no >&2; exit 3",
      }),
    );
    expect(result).toMatchObject({ outcome: "failed", exitCode: 4 });
    expect(result.reason).toContain("bad");
    expect(result.tests.map(({ name, result: kind }) => [name, kind])).toEqual([
      ["good", "pass"],
      ["bad", "fail"],
    ]);
  });

  test("skipped and flaky tests are no failure, and are called what they are", async () => {
    const result = await testOf(
      withTests(
        "moody",
        `Tests: fine
Depends: @

Tests: shaky
Depends: @
Restrictions: flaky

Tests: shy
Depends: @
Restrictions: skippable

Tests: grand
Depends: @
Restrictions: isolation-machine
`,
        { fine: "true", shaky: "exit 1", shy: "exit 77", grand: "exit 1" },
      ),
    );
    await expectPassed(result);
    expect(result.exitCode).toBe(2);
    expect(
      Object.fromEntries(
        result.tests.map(({ name, result: kind }) => [name, kind]),
      ),
    ).toEqual({ fine: "pass", shaky: "flaky", shy: "skip", grand: "skip" });
  });

  test("a package without tests is neutral", async () => {
    const result = await testOf(greeter("silent", "1"));
    expect(result).toMatchObject({
      outcome: "passed",
      tests: [{ package: "silent", result: "neutral" }],
    });
  });

  test("a test whose dependency does not exist is the package's fault", async () => {
    const result = await testOf(
      withTests("needy", "Tests: runs\nDepends: @, no-such-tool\n", {
        runs: "true",
      }),
    );
    expect(result).toMatchObject({ outcome: "failed", exitCode: 12 });
  });

  test("a test finds what it needs in the PPA", async () => {
    await intoPpa(greeter("tinytool", "1"));
    const result = await testOf(
      withTests("worker", "Tests: works\nDepends: @, tinytool\n", {
        works: "tinytool | grep tinytool",
      }),
    );
    await expectPassed(result);
    expect(result.exitCode).toBe(0);
  });

  test("tests are a plain user's unless they need root, and a revert makes all new", async () => {
    const result = await testOf(
      withTests(
        "tidy",
        `Tests: dirties
Depends: @
Restrictions: needs-root, breaks-testbed

Tests: finds-it-clean
Depends: @
`,
        {
          dirties: 'test "$(id -u)" = 0 && touch /usr/dirty',
          "finds-it-clean": 'test "$(id -u)" != 0 && test ! -e /usr/dirty',
        },
      ),
    );
    await expectPassed(result);
    expect(result.exitCode).toBe(0);
  });

  test("a testbed that cannot be opened is not waited for", async () => {
    const tiny = withTests("eager", "Test-Command: true\n");
    const result = await testOf(tiny, undefined, ["no network"]);
    expect(result).toMatchObject({ outcome: "tmpfail", exitCode: 16 });
    expect(await logOf(result)).toContain("network could not be made");
  });

  test("links that a test leaves lead nowhere outside", async () => {
    const victim = join(root, "victim");
    const result = await testOf(
      withTests("sly", "Tests: one, two\nDepends: @\n", {
        one: `ln -s ${root} "$AUTOPKGTEST_ARTIFACTS/door"`,
        two: `mkdir "$AUTOPKGTEST_ARTIFACTS/door"; echo gone >"$AUTOPKGTEST_ARTIFACTS/door/victim"`,
      }),
    );
    // However autopkgtest takes it: nothing was written through the link.
    await expect(readFile(victim)).rejects.toThrow("ENOENT");
    expect(result.outcome).not.toBe("failed");
  });

  test("a cancelled test ends with everything in it", async () => {
    const cancel = new AbortController();
    const work = await workFor(cancel.signal);
    const result = await testOf(
      withTests("patient", "Tests: waits\nDepends: @\n", {
        waits: "sleep 86399",
      }),
      {
        ...work,
        progress(update) {
          if (update.message.includes("waits")) cancel.abort();
        },
      },
    );
    expect(result).toMatchObject({ outcome: "tmpfail" });
    await expect.poll(() => processesNamed("86399")).toEqual([]);
  });
});

describe("killed with SIGKILL, nothing of it goes on", () => {
  const program = fileURLToPath(new URL("backend-killed.js", import.meta.url));

  /** Starts it, kills it once that word is in a running command line, and waits for the rest to end. */
  async function killOnce(
    name: string,
    word: string,
    request: object,
  ): Promise<void> {
    const { scratch } = await workFor();
    const child = spawn(
      process.execPath,
      [program, paths.root, name, scratch, JSON.stringify(request)],
      { stdio: "ignore" },
    );
    const ended = new Promise((done) => child.on("close", done));
    const patience = { timeout: 120_000, interval: 200 };
    await expect
      .poll(async () => (await processesNamed(word)).length, patience)
      .toBeGreaterThan(0);
    child.kill("SIGKILL");
    await ended;
    await expect.poll(() => processesNamed(word), patience).toEqual([]);
    await expect
      .poll(
        async () =>
          (await processesNamed(/sbuild|autopkgtest/)).filter((line) =>
            line.includes(scratch),
          ),
        patience,
      )
      .toEqual([]);
    // What is left is in its scratch folder, and that can be removed.
    await removeTree(scratch);
  }

  test.each([
    ["session", "86398"],
    ["sbuild", "86397"],
  ])("a build with %s", async (builder, seconds) => {
    const tiny = { ...greeter("slow", "1"), build: [`sleep ${seconds}`] };
    const dsc = await sourceOf(tiny);
    await killOnce(builder, seconds, {
      source: "slow",
      version: "1",
      series,
      dsc,
      repositories: [],
    });
  });

  test("a test", async () => {
    const tiny = greeter("sleepy", "1", {
      "debian/tests/control": "Test-Command: sleep 86396\nDepends: @\n",
    });
    const dsc = await intoPpa(tiny);
    const made = await image(["sleepy"]);
    await expectPassed(made);
    await killOnce("autopkgtest", "86396", {
      source: "sleepy",
      version: "1",
      series,
      dsc,
      image: made.image,
      repositories: [ppa],
    });
  });
});
