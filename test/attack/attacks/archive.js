import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { run } from "../process.js";

const clock = fileURLToPath(
  new URL("../../crash/jumping-clock.js", import.meta.url),
);
const day = 24 * 3_600_000;

/** Signs the archive anew by a clock that is that far off. */
function resign({ place }, offset = 0) {
  const argv = [process.execPath, "--import", clock];
  return run([...argv, ...place.argv("archive", "resign")], {
    env: { ...place.env, CRASH_CLOCK: String(offset) },
  });
}

/** A new client's apt-get update of a copy of the archive. */
async function freshClient({ place, id }, copy) {
  const home = place.folder(`scratch/${id}-${String(Math.random()).slice(2)}`);
  for (const path of ["state/lists/partial", "cache/archives/partial", "etc"])
    mkdirSync(join(home, path), { recursive: true });
  const source = await place.ciOk("apt-source", "archive");
  writeFileSync(
    join(home, "etc/it.sources"),
    `${source.replace(/^URIs: .*$/m, `URIs: file:${copy}`)}\n`,
  );
  writeFileSync(join(home, "status"), "");
  const options = [
    `Dir::State=${home}/state`,
    `Dir::State::status=${home}/status`,
    `Dir::Cache=${home}/cache`,
    "Dir::Etc::sourcelist=/dev/null",
    `Dir::Etc::sourceparts=${home}/etc`,
    // A machine whose own sources are a snapshot may have turned it off.
    "Acquire::Check-Valid-Until=true",
    "Acquire::Check-Date=true",
    "APT::Sandbox::User=",
  ].flatMap((option) => ["-o", option]);
  return run(["apt-get", ...options, "update"], {
    env: { ...process.env, LC_ALL: "C.UTF-8", TMPDIR: home },
  });
}

/** What the archive publishes now. */
async function published({ place }) {
  const { current } = JSON.parse(await place.ciOk("archive", "list", "--json"));
  return place.ciOk("archive", "show", String(current));
}

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  {
    id: "s18-replayed-archive",
    row: "S18",
    boundary: "archive",
    quick: true,
    // Others could not use the archive while its signature is an old one.
    exclusive: true,
    before: "succeeds",
    tries: "a new client is shown the archive as it was signed eleven days ago",
    async carryOut(here) {
      const archive = join(here.place.state, "archive");
      await resign(here, -11 * day);
      const copy = join(here.place.folder("scratch"), `${here.id}-copy`);
      cpSync(archive, copy, { recursive: true, verbatimSymlinks: true });
      await resign(here);
      const present = await freshClient(here, archive);
      if (present.code !== 0 || /^[WE]:/m.test(present.stderr))
        return {
          ran: `a client takes not even the present: ${present.stderr}`,
        };
      const replayed = await freshClient(here, copy);
      const refused = /is expired/.test(replayed.stderr);
      return {
        ran: replayed.code === 0 || refused ? true : replayed.stderr,
        breach: refused ? undefined : "apt took it for current",
      };
    },
  },
  {
    id: "s12-control-of-another",
    row: "S12",
    boundary: "archive",
    quick: true,
    before: "succeeds",
    tries: "a .deb named after the source holds a package of another name",
    async carryOut(here) {
      const { place, name } = here;
      const victim = `${name}-victim`;
      const ticket = await place.ticket([
        {
          source: name,
          build: `mkdir -p debian/evil/DEBIAN
printf 'Package: ${victim}\\nVersion: 2\\nSource: ${name}\\nArchitecture: all\\nMaintainer: A Tester <tester@example.com>\\nDescription: not what its name says\\n' >debian/evil/DEBIAN/control
`,
          files: {
            "debian/rules": `#!/usr/bin/make -f
build build-arch build-indep:
	sh debian/build.sh
clean:
binary-arch:
binary binary-indep: build
	dpkg-deb --root-owner-group --build debian/evil ../${name}_1_all.deb
	dpkg-distaddfile ${name}_1_all.deb misc optional
`,
          },
        },
      ]);
      await place.ci(["land", "--ticket", ticket]);
      const told = await place.told(ticket);
      const reason = told.status.failure?.reason ?? told.status.status;
      return {
        ran:
          reason.includes(victim) || told.status.status === "done"
            ? true
            : reason,
        breach: (await published(here)).includes(victim)
          ? `${victim} was published`
          : undefined,
      };
    },
  },
  {
    id: "s12-takes-over",
    row: "S12",
    boundary: "archive",
    quick: true,
    before: "succeeds",
    tries:
      "a source publishes less 999, which the distribution's own source builds",
    async carryOut(here) {
      const { place, name } = here;
      const ticket = await place.ticket([
        { source: name, binaries: [{ name: "less", version: "999" }] },
      ]);
      await place.ci(["land", "--ticket", ticket]);
      const { status } = await place.told(ticket);
      const { stdout } = await place.ci(["explain", ticket]);
      const asked = status.status === "set-aside" && /\bless\b/.test(stdout);
      await place.putAway(ticket);
      return {
        ran:
          asked || status.status === "done"
            ? true
            : `${status.status}: ${stdout}`,
        breach: /\bless {2}999\b/.test(await published(here))
          ? "less 999 was published unquestioned"
          : undefined,
      };
    },
  },
];
