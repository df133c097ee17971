import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execFileSync } from "node:child_process";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Installation, library, program } from "./support/program.ts";

/** The main job with the real tools: mmdebstrap, apt, dpkg, autopkgtest, aptly, in real sessions. */
let ci: Installation;

beforeAll(() => {
  ci = new Installation({
    series: ["bookworm"],
    // Each kill of a step counts as a failure of this machine.
    retry: { firstDelaySeconds: 0, limit: 100 },
  });
  ci.ok("init");
  ci.addUploader();
});

afterAll(() => ci.remove());

const create = (title: string, ...changes: string[]) =>
  ci.ok(
    "create_ticket",
    "-t",
    title,
    ...changes.flatMap((path) => ["-s", path]),
  );

/** How often each step is killed: by `npm run crash:real` only, since it takes many minutes. */
const kills = Number(process.env["UBUNTU_CI_TEST_KILLS"] ?? 0);

/** As quick to build as a package can be. */
const stubborn = {
  ...program("stubborn"),
  "debian/rules": `#!/usr/bin/make -f
root = debian/stubborn
build build-arch build-indep binary-indep:
binary: binary-arch
binary-arch:
\tinstall -d $(root)/DEBIAN $(root)/usr/bin
\tprintf '#!/bin/sh\\necho it works\\n' >$(root)/usr/bin/stubborn
\tchmod 755 $(root)/usr/bin/stubborn
\techo 'misc:Depends=' >debian/stubborn.substvars
\tdpkg-gencontrol -pstubborn -Tdebian/stubborn.substvars -P$(root)
\tdpkg-deb --root-owner-group --build $(root) ..
clean:
\trm -rf $(root) debian/files debian/stubborn.substvars
.PHONY: build build-arch build-indep binary binary-arch binary-indep clean
`,
};

const ascending = (one: number | null, two: number | null) =>
  (one ?? 0) - (two ?? 0);

/** The number of the archive's revision. */
function current(): number {
  const text = ci.ok("archive", "list", "--json");
  return (JSON.parse(text) as { current: number }).current;
}

const nothingLeft = () => {
  expect(readdirSync(join(ci.state, "scratch"))).toEqual([]);
  expect(ci.ok("locks")).toBe("no locks");
  expect(ci.ok("ppa", "list")).not.toMatch(/reserved|dirty|cleaning/);
};

describe("the main job", () => {
  test("a library and what needs its new version land together, named in the wrong order", () => {
    const user = ci.upload(
      "asker",
      "1.0",
      program("asker", {
        main: '#include <stdio.h>\n#include <answer.h>\nint main(void) { printf("it works: %d\\n", answer()); return 0; }\n',
        buildDepends: "liboracle-dev (>= 2.0)",
        link: "-loracle",
      }),
    );
    const id = create(
      "oracle",
      user,
      ci.upload("oracle", "2.0", library("oracle", 42)),
    );
    expect(ci.run("land", "--ticket", id)).toMatchObject({ code: 0 });
    const ticket = ci.ticket(id);
    expect(ticket).toMatchObject({
      status: "done",
      archive_revision: 1,
      failure: null,
    });
    expect(ticket.tests).toEqual([
      expect.objectContaining({
        package: "asker",
        name: "works",
        result: "pass",
      }),
      expect.objectContaining({ package: "oracle", result: "neutral" }),
    ]);
    const types = new Set(ticket.artifacts.map(({ type }) => type));
    expect([...types].sort()).toEqual(["IMAGE", "LOGS", "RESULTS", "SPU"]);
    const image = ci.ok("get_image", id, "-o", ci.root);
    expect(
      execFileSync("tar", ["--zstd", "-tf", image], {
        maxBuffer: 1e9,
      }).toString(),
    ).toContain("usr/bin/asker");
    nothingLeft();
  });

  test("a build waits for what another source of the ticket provides, which its .dsc does not tell", () => {
    const provider = program("provb");
    const control = provider["debian/control"] ?? "";
    const id = create(
      "a virtual package",
      ci.upload(
        "prova",
        "1.0",
        program("prova", { buildDepends: "prov-virtual" }),
      ),
      ci.upload("provb", "1.0", {
        ...provider,
        "debian/control": control.replace(
          "Architecture: any",
          "$&\nProvides: prov-virtual",
        ),
      }),
    );
    ci.ok("assign-ppa", "--ticket", id);
    const built = ci.run("build-source", "--ticket", id, "-v", "2");
    expect(built.stderr).toContain("prova waits: ");
    expect(built.code).toBe(0);
    expect(
      ci
        .ticket(id)
        .artifacts.filter(({ name }) => name === "prova_1.0.build.log"),
    ).toHaveLength(1);
    ci.ok("cancel", id);
  });

  test("a library that leaves its user behind is set aside naming that, and lands once that is allowed", () => {
    const zed = (version: string) =>
      ci.upload("libzed", version, {
        "debian/control": `Source: libzed\nSection: libs\nPriority: optional\nMaintainer: Dev <dev@example.com>\nBuild-Depends: debhelper-compat (= 13)\nStandards-Version: 4.6.2\nRules-Requires-Root: no\n\nPackage: libzed${version}\nArchitecture: all\nDepends: \${misc:Depends}\nDescription: a test library\n A test.\n`,
        "debian/rules": "#!/usr/bin/make -f\n%:\n\tdh $@\n",
      });
    const zapp = program("zapp");
    const first = create(
      "a library and its user",
      zed("1"),
      ci.upload("zapp", "1", {
        ...zapp,
        "debian/control": (zapp["debian/control"] ?? "").replace(
          "${misc:Depends}",
          "$&, libzed1",
        ),
      }),
    );
    expect(ci.run("land", "--ticket", first)).toMatchObject({ code: 0 });
    const archived = () => {
      const { current } = JSON.parse(ci.ok("archive", "list", "--json")) as {
        current: number;
      };
      return ci.ok("archive", "show", String(current));
    };
    expect(archived()).toMatch(/libzed1 {2}1/);

    const second = create("the next library", zed("2"));
    const held = ci.run("land", "--ticket", second);
    expect(held.code).toBe(2);
    expect(ci.ticket(second).status).toBe("set-aside");
    const told = ci.ok("explain", second);
    expect(told).toContain("zapp 1 uninstallable");
    expect(told).toContain("--allow-breaks");
    expect(archived()).not.toContain("libzed2");
    ci.ok("override", second, "--allow-breaks", "--reason", "zapp is next");
    expect(ci.run("land", "--ticket", second)).toMatchObject({ code: 0 });
    expect(ci.ticket(second).status).toBe("done");
    expect(archived()).toMatch(/libzed2 {2}2/);
    expect(archived()).not.toContain("libzed1");
    nothingLeft();
  });

  test("of alternatives only the first is installed, as on a build daemon", () => {
    const wants = { buildDepends: "absent-for-ever | zlib1g-dev" };
    const id = create(
      "picky",
      ci.upload("picky", "1.0", program("picky", wants)),
    );
    expect(ci.run("land", "--ticket", id).code).toBe(1);
    const { failure } = ci.ticket(id);
    expect(failure).toMatchObject({ kind: "package", step: { code: 200 } });
    expect(failure?.reason).toContain("absent-for-ever");
  });

  test("a package that does not compile fails, with its log, and the archive stays as it was", () => {
    const revision = current();
    const id = create(
      "broken",
      ci.upload(
        "broken",
        "1.0",
        program("broken", { main: "int main(void) { return undeclared; }\n" }),
      ),
    );
    expect(ci.run("land", "--ticket", id).code).toBe(1);
    const { failure, status } = ci.ticket(id);
    expect(status).toBe("failed");
    expect(failure).toMatchObject({ kind: "package", step: { code: 200 } });
    expect(failure?.reason).toContain("undeclared");
    expect(
      ci.ok("get_artifact", id, failure?.artifact ?? "", "-o", "-"),
    ).toContain("main.c");
    expect(current()).toBe(revision);
    nothingLeft();
  });

  test("a package whose test fails does not land", () => {
    const revision = current();
    const id = create(
      "unproven",
      ci.upload(
        "unproven",
        "1.0",
        program("unproven", { test: "#!/bin/sh\nexit 3\n" }),
      ),
    );
    expect(ci.run("land", "--ticket", id).code).toBe(1);
    const ticket = ci.ticket(id);
    expect(ticket.failure).toMatchObject({
      kind: "package",
      step: { code: 400 },
    });
    expect(ticket.tests).toEqual([
      expect.objectContaining({ name: "works", result: "fail" }),
    ]);
    expect(current()).toBe(revision);
    nothingLeft();
  });

  // It takes many minutes: `npm run crash:real`.
  if (kills > 0)
    test(`killed ${String(kills)} times in each step, tickets land once, and nothing is left over`, async () => {
      const steps = ["build-source", "build-image", "run-tests", "publish"];
      const revision = current();
      const tickets: string[] = [];
      /** A ticket that is at this step. */
      const ticketAt = (step: string): string => {
        const version = `1.${String(tickets.length)}`;
        const id = create(
          `stubborn ${version}`,
          ci.upload("stubborn", version, stubborn),
        );
        tickets.push(id);
        ci.ok("assign-ppa", "--ticket", id);
        for (const before of steps.slice(0, steps.indexOf(step)))
          ci.ok(before, "--ticket", id);
        return id;
      };
      const lands = (id: string) => {
        const { code, stderr } = ci.run("land", "--ticket", id, "-v", "2");
        expect(code, stderr).toBe(0);
        expect(ci.ticket(id)).toMatchObject({ status: "done" });
      };
      const whole = ticketAt("build-source");
      const took = new Map<string, number>();
      for (const step of steps) {
        const began = performance.now();
        ci.ok(step, "--ticket", whole);
        took.set(step, performance.now() - began);
      }
      let id = ticketAt("build-source");
      for (const step of steps) {
        const passed = () =>
          ci
            .ticket(id)
            .runs.some(
              ({ step: { code }, outcome }) =>
                code === 200 + 100 * steps.indexOf(step) &&
                outcome === "passed",
            );
        let killed = 0;
        while (killed < kills) {
          if (passed()) {
            // It was done before the kill came.
            lands(id);
            id = ticketAt(step);
          }
          // Spread over the step, so that each of its stages is met.
          const part = (killed + Math.random()) / kills;
          const began = performance.now();
          const run = ci.start(step, "--ticket", id);
          const timer = setTimeout(
            () => run.kill("SIGKILL"),
            part * (took.get(step) ?? 0),
          );
          const [code, signal] = (await once(run, "exit")) as unknown[];
          clearTimeout(timer);
          if (signal === "SIGKILL") killed += 1;
          else {
            expect(code).toBe(0);
            took.set(step, 0.8 * (performance.now() - began));
          }
        }
        if (!passed()) ci.ok(step, "--ticket", id);
      }
      lands(id);
      expect(current()).toBe(revision + tickets.length);
      expect(
        tickets.map((id) => ci.ticket(id).archive_revision).sort(ascending),
      ).toEqual(tickets.map((_, index) => revision + index + 1));
      // What is left is only what upkeep removes by itself.
      expect(ci.run("fsck", "--digests").code).not.toBe(1);
      ci.ok("expire");
      ci.ok("fsck", "--mend");
      expect(ci.ok("fsck", "--digests")).toBe("all is well");
      nothingLeft();
      await expect.poll(() => commandsNaming(ci.state)).toEqual([]);
    });

  test("cancelled in the middle of a build, everything that it runs ends, and its PPA is given back", async () => {
    const endless = {
      ...program("endless"),
      Makefile: `all:\n\tsleep ${String(seconds)} & wait\n`,
    };
    const id = create("endless", ci.upload("endless", "1.0", endless));
    const archive = ci.ok("archive", "list", "--json");
    const landing = ci.start("land", "--ticket", id, "-v", "3");
    const ended = once(landing, "exit");
    let said = "";
    landing.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    // At verbosity 3 the tools' own output is shown while they work.
    while (!said.includes(`sleep ${String(seconds)}`))
      await once(landing.stderr, "data");
    expect(sleepers()).toBe(1);
    expect(ci.ok("cancel", id, "--reason", "not wanted")).toContain(
      `ticket ${id}`,
    );
    expect(await ended).toEqual([1, null]);
    expect(sleepers()).toBe(0);
    expect(ci.ticket(id)).toMatchObject({
      status: "cancelled",
      ppa: null,
      failure: null,
      cancelled: { reason: "not wanted" },
      runs: [
        { step: { code: 100 }, outcome: "passed" },
        { step: { code: 200 }, outcome: "tmpfail" },
      ],
    });
    expect(ci.ok("archive", "list", "--json")).toBe(archive);
    nothingLeft();
  });
});

/** No other process of the machine sleeps just so long. */
const seconds = 80_000 + process.pid / 1e5;

/** Command lines of processes that name this folder. */
function commandsNaming(folder: string): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return line.includes(folder) ? [line.replaceAll("\0", " ")] : [];
    } catch {
      return []; // no process, or it has ended meanwhile
    }
  });
}

/** How many processes of the endless build there are, in whatever namespace. */
function sleepers(): number {
  return readdirSync("/proc").filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return words[0] === "sleep" && words[1] === String(seconds);
    } catch {
      return false; // no process, or it has ended meanwhile
    }
  }).length;
}
