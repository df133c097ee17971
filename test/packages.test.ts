import { execFile } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  expectPassed,
  logOf,
  realBackends,
  type RealBackends,
} from "./support/real-backends.ts";
import { greeter, type TinyPackage } from "./support/tiny-package.ts";

// What real packages do that a tiny one does not, several in one: each costs a session.

const builders = ["session", "sbuild"] as const;

let real: RealBackends;
beforeAll(async () => {
  real = await realBackends();
});
afterAll(async () => {
  await real.close();
});

const withTests = (
  source: string,
  control: string,
  files: Readonly<Record<string, string>>,
): TinyPackage =>
  greeter(source, "1", {
    "debian/tests/control": control,
    ...Object.fromEntries(
      Object.entries(files).map(([name, text]) => [
        `debian/tests/${name}`,
        `#!/bin/sh\n${text}\n`,
      ]),
    ),
  });

describe("building", () => {
  beforeAll(async () => {
    await real.intoPpa({
      ...greeter("tinygame", "1"),
      install: ["install -D greet debian/tinygame/usr/games/tinygame"],
    });
  });

  test.each(builders)(
    "a package finds what a buildd has: %s",
    async (builder) => {
      const picky: TinyPackage = {
        ...greeter("picky", "1"),
        buildDepends: "tinygame\nBuild-Conflicts: ca-certificates",
        build: [
          "echo heard >/dev/stderr",
          "echo heard >/dev/stdout",
          "tinygame",
          "umask | grep -x 0022",
          "test $$(grep ^Groups /proc/self/status | wc -w) -gt 1",
          "test ! -e /usr/share/doc/ca-certificates",
          "gcc -o greet greet.c",
          // Left running: the build has ended all the same.
          "setsid sleep 86391 &",
        ],
        install: [
          "install -D greet debian/picky/usr/bin/picky",
          "tar -czf ../picky_1_amd64.tar.gz debian/control",
          "dpkg-distaddfile picky_1_amd64.tar.gz raw-uefi -",
          "printf 'Format: 1.8\\n' >../inner_1_amd64.changes",
        ],
      };
      const result = await real.build(picky, { builder });
      await expectPassed(result);
      expect((await logOf(result)).match(/^heard$/gm)).toHaveLength(2);
      expect(result.files.map(({ name }) => name)).toEqual([
        "picky_1_amd64.buildinfo",
        "picky_1_amd64.deb",
        "picky_1_amd64.tar.gz",
        "picky_1_amd64.changes",
      ]);
      const [info] = result.files;
      expect(await readFile(info?.path ?? "", "utf8")).toContain(
        'Environment:\n DEB_BUILD_OPTIONS="parallel=2"\n LANG="C.UTF-8"\n LC_ALL="C.UTF-8"\n LC_COLLATE="C.UTF-8"\n',
      );
    },
  );
});

describe("testing", () => {
  test("the testbed is a system that a test may use and change", async () => {
    const result = await real.test(
      withTests(
        "worldly",
        `Tests: apt, undeclared
Depends: hostname
Restrictions: needs-root, needs-internet, allow-stderr

Tests: leaves
Depends: hostname
Restrictions: needs-root

Tests: names
Depends: hostname
Restrictions: needs-root

Tests: odd
Depends: hostname
Restrictions: no-such-restriction
`,
        {
          apt: `set -e
test -z "$APT_CONFIG"
apt-cache show hello | grep -x 'Package: hello'
apt-get indextargets | grep 'deb.*bookworm'
apt-get install -y sl; test -x /usr/games/sl
ls /etc/apt/sources.list.d/* && touch /etc/apt/apt.conf.d/99mine && rm /etc/apt/apt.conf.d/99mine
rm /var/lib/apt/lists/*_Packages`,
          undeclared: "worldly",
          leaves: `set -e; cd $AUTOPKGTEST_ARTIFACTS
truncate -s 6G core.img; echo end >>core.img; echo kept >kept
mkdir locked; touch locked/x; chmod 000 locked; touch "$(printf 'a\\377b')"; mkfifo pipe`,
          names: `set -e; echo >>/etc/hosts; mv /etc/resolv.conf /tmp/; test "$(cat /etc/hostname)" = "$(hostname)"`,
          odd: "true",
        },
      ),
    );
    await expectPassed(result);
    expect(result.tests.map(({ name, result: kind }) => [name, kind])).toEqual([
      ["odd", "skip"],
      ["apt", "pass"],
      ["undeclared", "pass"],
      ["leaves", "pass"],
      ["names", "pass"],
    ]);
    const { stdout } = await promisify(execFile)("tar", [
      ...["--list", "--verbose", "--file", result.output?.path ?? ""],
    ]);
    expect(stdout).toMatch(/ 6442450948 .*core\.img/);
    expect(stdout).toMatch(/ 5 .*\/kept/);
    const { size } = await stat(result.output?.path ?? "");
    expect(size).toBeLessThan(1_000_000);
  });

  test("on the base, what a test needs and does not declare is not there", async () => {
    const result = await real.test(
      withTests("forgetful", "Tests: runs\nDepends: hostname\n", {
        runs: "forgetful",
      }),
      { on: "base" },
    );
    expect(result).toMatchObject({
      outcome: "failed",
      tests: [{ name: "runs", result: "fail" }],
    });
    expect(await logOf(result)).toContain("forgetful: not found");
  });
});

describe("imaging", () => {
  const twins: TinyPackage = {
    ...greeter("twins", "1"),
    binaries: {
      "twin-a": "Architecture: any\nConflicts: twin-b",
      "twin-b": "Architecture: any",
      "twin-c": "Architecture: any\nDepends: twin-a",
    },
    install: ["mkdir -p debian/twin-a debian/twin-b debian/twin-c"],
  };

  test("of packages that conflict a largest set is installed, in a system that is complete", async () => {
    await real.intoPpa({
      ...twins,
      install: [
        ...twins.install,
        "install -D -m 755 postinst debian/twin-a/DEBIAN/postinst",
      ],
      files: {
        ...twins.files,
        postinst: `#!/bin/sh
set -e
test -z "$APT_CONFIG"
apt-cache policy twin-a | grep -x '    1001 .*\\|.* 1001'
apt-get indextargets | grep -q 'deb.*bookworm'
echo "192.0.2.1 friend" >>/etc/hosts
ln -sf ../run/resolved/resolv.conf /etc/resolv.conf
echo "No space left on device"
`,
      },
    });
    const names = Object.keys(twins.binaries);
    const refused = await real.image(names);
    expect(refused).toMatchObject({ outcome: "failed" });
    expect(refused.reason).toContain("Conflicts: twin-b");

    const made = await real.image(names, { leaveOutConflicts: true });
    await expectPassed(made);
    expect(made.leftOut).toEqual([{ package: "twin-b", because: "twin-a" }]);
    const [tarball, manifest] = made.files;
    expect(
      JSON.parse(await readFile(manifest?.path ?? "", "utf8")),
    ).toMatchObject({ left_out: made.leftOut });

    const tar = async (...words: readonly string[]) =>
      (
        await promisify(execFile)(
          "tar",
          [...words, "--file", tarball?.path ?? ""],
          { maxBuffer: 1 << 28 },
        )
      ).stdout;
    const all = await tar("--list", "--verbose", "--numeric-owner");
    expect(all).toMatch(/^crw-rw-rw- 0\/0 +1,3 .* \.\/dev\/null$/m);
    expect(all).toMatch(/^crw-rw-rw- 0\/5 +5,0 .* \.\/dev\/tty$/m);
    expect(all).toMatch(/ \.\/dev\/fd -> \/proc\/self\/fd$/m);
    expect(all).toMatch(
      / \.\/etc\/resolv\.conf -> \.\.\/run\/resolved\/resolv\.conf$/m,
    );
    expect(all).not.toMatch(/lists\/.*_(?:Packages|InRelease)$/m);
    expect(all).not.toMatch(/ubuntu-ci/);
    const file = (path: string) => tar("--extract", "--to-stdout", path);
    expect(await file("./etc/hostname")).toBe("localhost\n");
    expect(await file("./etc/hosts")).toMatch(
      /^127\.0\.0\.1\tlocalhost\n::1\t[^]*\n192\.0\.2\.1 friend\n$/,
    );
  });

  test("a package that makes devices needs a person, and one that fails says why", async () => {
    const failing = (source: string, postinst: string): TinyPackage => ({
      ...greeter(source, "1"),
      install: [
        `install -D greet debian/${source}/usr/bin/${source}`,
        `install -D -m 755 postinst debian/${source}/DEBIAN/postinst`,
      ],
      files: { ...greeter(source, "1").files, postinst },
    });
    await real.intoPpa(
      failing("device", "#!/bin/sh\nset -e\nmknod /dev/mine c 1 3\n"),
    );
    await real.intoPpa(
      failing(
        "clumsy",
        "#!/bin/sh\necho 'Failed to fetch my wits' >&2; exit 3\n",
      ),
    );
    await expect(real.image(["device"])).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining("mknod: /dev/mine") as string,
    });
    const clumsy = await real.image(["clumsy"]);
    expect(clumsy).toMatchObject({ outcome: "failed" });
    expect(clumsy.reason).toMatch(
      /^clumsy: .* returned error exit status 3: Failed to fetch my wits$/,
    );
  });
});

describe("a session that runs into its limits", () => {
  const resources = {
    ...{ processes: 200, memoryMiB: 300, cpuMinutes: 10, diskMiB: 200 },
    ...{ tmpfsMiB: 256, openFiles: 512, logMiB: 5, resultsMiB: 50 },
  };

  const greedy = {
    logMiB: "yes | head -c 3000000000",
    processes: "for i in $$(seq 300); do sleep 60 & done; wait",
    memoryMiB: "perl -e '$$x = \"x\" x 600_000_000; sleep 60'",
    diskMiB: "head -c 400000000 /dev/urandom >big; sleep 60",
    cpuMinutes: "perl -e '1 while 1'",
  };

  /** With three seconds of CPU time where that is the limit; sbuild's base counts as written. */
  const within = (limit: string, builder = "session") => ({
    ...resources,
    ...(limit === "cpuMinutes" && { cpuMinutes: 0.05 }),
    ...(limit !== "diskMiB" && builder === "sbuild" && { diskMiB: 4000 }),
  });

  test.each([
    ["logMiB", "session"],
    ["processes", "session"],
    ["memoryMiB", "session"],
    ["diskMiB", "session"],
    ["cpuMinutes", "session"],
    ["processes", "sbuild"],
    ["memoryMiB", "sbuild"],
    ["diskMiB", "sbuild"],
    ["cpuMinutes", "sbuild"],
  ] as const)(
    "is ended at %s, which the package is told: %s",
    async (limit, builder) => {
      const build = [greedy[limit], "gcc -o greet greet.c"];
      const result = await real.build(
        { ...greeter("greedy", "1"), build },
        { builder, resources: within(limit, builder) },
      );
      expect(result).toMatchObject({ outcome: "failed" });
      expect(result.reason).toContain(`limits.${limit}`);
      expect((await stat(result.log?.path ?? "")).size).toBeLessThan(6_000_000);
    },
  );

  test.each(["processes", "memoryMiB", "cpuMinutes", "diskMiB"] as const)(
    "is ended at %s as a testbed, too",
    async (limit) => {
      const script = greedy[limit].replaceAll("$$", "$");
      const result = await real.test(
        withTests(
          `greedy-${limit.toLowerCase()}`,
          "Tests: greed, next\nDepends: hostname\n",
          { greed: script, next: "true" },
        ),
        { resources: within(limit) },
      );
      expect(result).toMatchObject({ outcome: "failed" });
      expect(result.reason).toContain(`limits.${limit}`);
    },
  );

  test("leaves artifacts beyond its limit out of the results", async () => {
    const result = await real.test(
      withTests("hoarder", "Tests: hoards\nDepends: hostname\n", {
        hoards:
          "head -c 60000000 /dev/urandom >$AUTOPKGTEST_ARTIFACTS/hoard; echo done",
      }),
      { resources },
    );
    await expectPassed(result);
    expect(await logOf(result)).toContain("left out of the artifacts");
    const { size } = await stat(result.output?.path ?? "");
    expect(size).toBeLessThan(60_000_000);
  });

  test("finds its limits in place", async () => {
    const result = await real.build(
      {
        ...greeter("modest", "1"),
        build: [
          "test $$(ulimit -n) = 512; test $$(ulimit -t) = 600",
          "! head -c 300000000 /dev/zero >/dev/shm/big",
          "gcc -o greet greet.c",
        ],
      },
      { resources },
    );
    await expectPassed(result);
  });
});
