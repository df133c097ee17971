import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { proved } from "../package.js";
import { run } from "../process.js";

/** A tool of the host's that notes down how it was called, and in which namespace, then does its work. */
function watchedTools(place, id) {
  const tools = place.folder(`scratch/${id}`);
  const calls = join(tools, "calls");
  writeFileSync(calls, "");
  for (const name of [
    "tar",
    "dpkg-source",
    "dpkg-deb",
    "xz",
    "unxz",
    "zstd",
    "gzip",
    "bsdtar",
    "cpio",
  ])
    writeFileSync(
      join(tools, name),
      `#!/bin/sh\n{ printf '%s %s' "$(readlink /proc/self/ns/mnt)" ${name}; printf ' %s' "$@"; echo; } >>'${calls}'\nexec /usr/bin/${name} "$@"\n`,
      { mode: 0o755 },
    );
  return {
    path: `${tools}:${process.env.PATH}`,
    calls: () => readFileSync(calls, "utf8").split("\n"),
  };
}

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  {
    id: "s19-unpacked-outside",
    row: "S19",
    boundary: "upload",
    quick: true,
    before: "succeeds",
    tries:
      "tools of the host's own namespace unpack a source tarball that lists links and outside names",
    async carryOut(here) {
      const { place } = here;
      const { path, calls } = watchedTools(place, here.id);
      const ticket = await place.ticket([
        {
          source: here.name,
          build: proved(here.id, ":"),
          tests: [{ name: "plain", script: "true\n" }],
        },
      ]);
      const own = (await run(["readlink", "/proc/self/ns/mnt"])).stdout.trim();
      const ended = await place.ci(
        ["land", "--ticket", ticket, "--until", "run-tests"],
        { env: { PATH: path } },
      );
      const { status } = await place.told(ticket);
      const unpacking = calls().find(
        (line) =>
          line.startsWith(`${own} `) &&
          line.includes(`${here.name}_1.tar`) &&
          !line.includes("--create"),
      );
      return {
        ran:
          status.tests.length > 0
            ? true
            : `${status.failure?.reason}: ${ended.stderr}`,
        breach:
          unpacking &&
          `on the host ran ${unpacking.slice(own.length + 1, own.length + 150)}`,
      };
    },
  },
  {
    id: "s19-endless-control",
    row: "S19",
    boundary: "upload",
    before: "either",
    tries:
      "debian/tests/control unpacks to 60 MB: whoever looks for tests must not end by it",
    async carryOut(here) {
      const { place } = here;
      const ticket = await place.ticket([
        {
          source: here.name,
          build: proved(here.id, ":"),
          files: {
            "debian/tests/control": Buffer.concat([
              Buffer.from("Tests: plain\nRestrictions: allow-stderr\n"),
              Buffer.alloc(60_000_000, "# b\n"),
            ]),
            "debian/tests/plain": "#!/bin/sh\ntrue\n",
          },
        },
      ]);
      const ended = await place.ci(
        ["land", "--ticket", ticket, "--until", "run-tests"],
        { timeoutMs: 200_000 },
      );
      const { status } = await place.told(ticket);
      return {
        ran:
          status.step.code >= 400 || status.failure !== null
            ? true
            : ended.stderr,
        breach:
          ended.code === 70 || ended.signal !== null
            ? `land died: ${ended.stderr.trim().split("\n").at(-1)}`
            : status.failure?.kind === "infrastructure"
              ? `our infrastructure is blamed: ${status.failure.reason}`
              : undefined,
      };
    },
  },
  {
    id: "s19-links",
    row: "S19",
    boundary: "upload",
    before: "held",
    tries: "a test and debian/copyright are links to the owner's secret",
    land: { until: "run-tests" },
    ticket: (here) => [
      {
        source: here.name,
        build: proved(here.id, "cat debian/copyright"),
        tests: [{ name: "plain", script: "cat debian/copyright\ntrue\n" }],
        links: {
          "debian/copyright": `${here.canary.folder}/precious.txt`,
          "debian/tests/linked": `${here.canary.folder}/precious.txt`,
        },
      },
    ],
  },
];
