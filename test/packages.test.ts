import { readFile } from "node:fs/promises";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  expectPassed,
  logOf,
  realBackends,
  type RealBackends,
} from "./support/real-backends.ts";
import { greeter, type TinyPackage } from "./support/tiny-package.ts";

// What real packages do that a tiny one does not, several in one: each costs a session.

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
  const game = greeter("tinygame", "1");
  test("a package finds what a buildd has", async () => {
    await real.intoPpa({
      ...game,
      install: ["install -D greet debian/tinygame/usr/games/tinygame"],
    });
    const result = await real.build({
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
        "setsid sleep 86400 &",
      ],
      install: [
        "install -D greet debian/picky/usr/bin/picky",
        "tar -czf ../picky_1_amd64.tar.gz debian/control",
        "dpkg-distaddfile picky_1_amd64.tar.gz raw-uefi -",
        "printf 'Format: 1.8\\n' >../inner_1_amd64.changes",
      ],
    });
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
  });
});

test("T1", async () => {
  const result = await real.test(
    withTests(
      "worldly",
      `Tests: names
Depends: hostname
Restrictions: needs-root

Tests: apt
Depends: hostname
Restrictions: needs-root, needs-internet, allow-stderr

Tests: odd
Depends: hostname
Restrictions: no-such-restriction

Tests: leaves
Depends: hostname
Restrictions: needs-root
`,
      {
        names:
          "set -e; echo >>/etc/hosts; mv /etc/resolv.conf /tmp/; cat /etc/hostname",
        apt: `set -x; env | grep -i apt
apt-get install -y sl; apt-cache show hello | head -3; apt-get update; test -z "$APT_CONFIG" || echo APT; apt-get indextargets | head; ls -l /etc/apt/* /var/lib/apt/lists`,
        leaves: `cd $AUTOPKGTEST_ARTIFACTS; truncate -s 6G core.img; mkdir locked; touch locked/x; chmod 000 locked; touch "$(printf 'a\\377b')"; mkfifo pipe`,
        odd: "true",
      },
    ),
  );
  console.log(result.outcome, result.reason, result.tests, await logOf(result));
});

test("I1-5", async () => {
  await real.intoPpa({
    ...greeter("twins", "1"),
    binaries: {
      "twin-a": "Architecture: any\nConflicts: twin-b",
      "twin-b": "Architecture: any",
    },
    install: ["mkdir -p debian/twin-a debian/twin-b"],
    files: {
      ...greeter("twins", "1").files,
      "debian/twin-a.postinst": "#!/bin/sh\necho 1.2.3.4 x >>/etc/hosts\n",
    },
  });
  console.log((await real.image(["twin-a", "twin-b"])).reason);
  const r = await real.image(["systemd-resolved"]);
  console.log(r.reason, r.outcome);
  const m = await real.image(["makedev"]);
  console.log(m.reason, m.outcome, (await logOf(m)).slice(-1500));
});
