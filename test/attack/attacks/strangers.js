import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

import { asStranger } from "../accounts.js";
import { proved } from "../package.js";
import { killGroup, run, until } from "../process.js";

/** Rooms of the state that are for everybody. */
const isPublic = (path) => /^(?:archive|ppa|report)(?:\/|$)/.test(path);

/** Looks at each of many paths: which can be read, listed or written. Runs as the stranger. */
const tryAll = `
const fs = require("fs");
const may = (path, mode) => { try { fs.accessSync(path, mode); return true } catch { return false } };
for (const path of fs.readFileSync(0, "utf8").split("\\0")) {
  let status;
  try { status = fs.lstatSync(path) } catch { continue }
  if (status.isSymbolicLink()) continue;
  const rights = (may(path, fs.constants.R_OK) ? "r" : "") + (may(path, fs.constants.W_OK) ? "w" : "");
  if (rights !== "") console.log(rights + " " + path);
}`;

/** What a stranger may do with each path of the state: lines like `r archive/dists`. */
async function walk({ place }) {
  const shallow = await place.find(place.state, "-maxdepth", "4");
  const deep = (
    await place.find(place.state, "-type", "f", "-size", "-64k")
  ).filter((_path, index, all) => index % Math.ceil(all.length / 3000) === 0);
  const { stdout } = await run(asStranger([process.execPath, "-e", tryAll]), {
    input: [...new Set([...shallow, ...deep])].join("\0"),
  });
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [rights, ...path] = line.split(" ");
      return { rights, path: relative(place.state, path.join(" ")) };
    });
}

/** What a stranger found that is none of a stranger's business. */
function tooMuch(found) {
  const wrong = found.filter(
    ({ rights, path }) => rights.includes("w") || !isPublic(path),
  );
  return wrong.length === 0
    ? undefined
    : `a stranger has ${wrong.length} rights, as ${wrong
        .slice(0, 4)
        .map(({ rights, path }) => `${rights} ${path === "" ? "STATE" : path}`)
        .join(", ")}`;
}

/** Whether a stranger becomes somebody by one of these files. */
async function becomesOwner({ place, canary, id }, name) {
  const files = await place.find(place.state, "-name", `${name}-${id}`);
  for (const file of files) {
    const { stdout } = await run(
      asStranger([file, "-p", "-c", `cat ${canary.folder}/precious.txt`]),
    );
    if (stdout.includes(canary.secret))
      return `a stranger read the owner's secret by ${relative(place.state, file)}`;
  }
  return undefined;
}

const shell = (id, name, mode) =>
  `cp /bin/dash /usr/bin/${name}-${id} && chmod ${mode} /usr/bin/${name}-${id} && ls -l /usr/bin/${name}-${id}`;

/** A process of a stranger's that holds these abstract socket names for as long as it lives. */
const bindAll = `
const names = JSON.parse(require("fs").readFileSync(0, "utf8"));
let left = names.length;
for (const name of names)
  require("net").createServer((c) => c.on("error", () => {})).on("error", () => {}).listen("\\0" + name, () => { if (--left === 0) console.log("bound") });
setInterval(() => {}, 1000);`;

/** Names that a program might take for locks on the rooms of its state. */
function lockNames({ state }) {
  const rooms = ["", "archive", "ppa", "gnupg", "store", "layers", "run"];
  const nested = ["aptly", "aptly/archive", "ppa/.cleaning", "ppa/ci_pool-001"];
  return [...rooms, ...nested].flatMap((room) => {
    const path = join(state, room).replace(/\/$/, "");
    return [
      `ubuntu-ci-${createHash("sha256").update(path).digest("hex")}`,
      `ubuntu-ci-${path}`,
      path,
    ];
  });
}

/** @returns {Promise<{ran: true | string, breach?: string}>} */
async function withBoundNames(here) {
  const { place } = here;
  let holder;
  let said = "";
  const held = run(asStranger([process.execPath, "-e", bindAll]), {
    input: JSON.stringify(lockNames(place)),
    timeoutMs: 400_000,
    onStart: (child) => {
      holder = child;
      child.stdout.on("data", (text) => (said += text));
    },
  });
  try {
    if (!(await until(() => said.includes("bound"), 20_000)))
      return { ran: "the names could not be bound" };
    const ticket = await place.ticket([
      { source: here.name, build: proved(here.id, ":") },
    ]);
    const landed = await place.ci(["land", "--ticket", ticket], {
      timeoutMs: 120_000,
    });
    if (landed.timedOut)
      return {
        ran: true,
        breach: "land hung while a stranger held socket names",
      };
    const reverted = await place.ci(place.revertArgs(0), {
      timeoutMs: 120_000,
    });
    return {
      ran: landed.code === 0 ? true : landed.stderr,
      breach: reverted.timedOut
        ? "archive revert hung while a stranger held socket names"
        : undefined,
    };
  } finally {
    killGroup(holder.pid);
    await held;
  }
}

/** Two commands that must take turns, one of them in a network namespace of its own. */
async function acrossNetworks(here) {
  const { place } = here;
  const first = await place.ticket([{ source: `${here.name}-a` }]);
  await place.ci(["land", "--ticket", first]);
  const second = await place.ticket([{ source: `${here.name}-b` }]);
  await place.ci(["land", "--ticket", second, "--until", "run-tests"]);
  // The first command stays in its critical section until it is let go: its aptly waits.
  const tools = place.folder(`scratch/${here.id}`);
  const reached = join(tools, "reached");
  const go = join(tools, "go");
  writeFileSync(
    join(tools, "aptly"),
    `#!/bin/sh\ntouch '${reached}'\nfor n in $(seq 1200); do [ -e '${go}' ] && break; sleep 0.1; done\nexec /usr/bin/aptly "$@"\n`,
    { mode: 0o755 },
  );
  const reverting = run(
    [
      ...["unshare", "--user", "--map-current-user", "--net"],
      ...place.argv(...place.revertArgs(0)),
    ],
    { env: { ...place.env, PATH: `${tools}:${process.env.PATH}` } },
  );
  const inside = await until(() => existsSync(reached), 120_000);
  if (!inside) {
    writeFileSync(go, "");
    const { stderr } = await reverting;
    return { ran: `archive revert did not come to aptly: ${stderr}` };
  }
  let done = false;
  const publishing = place
    .ci(["land", "--ticket", second], { timeoutMs: 120_000 })
    .then((ended) => {
      done = true;
      return ended;
    });
  const overtook = await until(() => done, 40_000);
  const revision = (await place.status(second)).archive_revision;
  writeFileSync(go, "");
  await reverting;
  await publishing;
  return {
    ran: true,
    breach:
      overtook && revision !== null
        ? `revision ${revision} was published in the middle of a revert`
        : undefined,
  };
}

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  ...[
    ["image", "setuid", "4755"],
    ["image", "setgid", "2755"],
    ["dependency", "setuid", "4755"],
  ].map(([at, name, mode]) => ({
    id: `s4-${name}-${at}`,
    row: "S4",
    boundary: at,
    quick: true,
    // A group of the owner's own reads nothing here that is the owner's alone.
    before: name === "setuid" ? "succeeds" : "held",
    tries: `a ${name} shell in ${at === "image" ? "an image's layer" : "the layer of build dependencies"} makes a stranger the owner`,
    piece: { at, script: ({ id }) => shell(id, name, mode) },
    look: (here) => becomesOwner(here, name),
  })),
  {
    id: "s4-running-testbed",
    row: "S4",
    boundary: "test",
    before: "succeeds",
    quick: true,
    tries: "a setuid shell in a running testbed makes a stranger the owner",
    piece: {
      at: "root-test",
      script: ({ id }) => `${shell(id, "running", "4755")}
cp /usr/bin/running-${id} /tmp/; chmod 4755 /tmp/running-${id}; sleep 5`,
      during: async (here, signal) => {
        let through;
        await until(async () => {
          through = await becomesOwner(here, "running");
          return signal.aborted || through !== undefined;
        }, 240_000);
        return through;
      },
    },
  },
  {
    id: "s9-planting",
    row: "S9",
    boundary: "stranger",
    quick: true,
    before: "succeeds",
    tries: "a stranger plants a file in the running testbed's /tmp",
    piece: {
      at: "test",
      script: ({ id }) => `mkdir -m 777 /tmp/open-${id}
for n in $(seq 40); do
  if [ -e /tmp/planted-${id} ] || [ -e /tmp/open-${id}/planted ]; then echo "PLANTED-${id}"; break; fi
  sleep 0.2
done`,
      during: async ({ place, id }, signal) => {
        await until(async () => {
          const [found] = await place.find(place.state, "-name", `open-${id}`);
          if (found !== undefined)
            await run(
              asStranger([
                ...["touch", join(found, "planted")],
                join(found, "..", `planted-${id}`),
              ]),
            );
          return signal.aborted || found !== undefined;
        }, 240_000);
        return undefined;
      },
    },
    look: ({ id }, { logs }) =>
      logs.includes(`PLANTED-${id}`)
        ? "the test saw what a stranger had planted"
        : undefined,
  },
  {
    id: "s9-walk-running",
    row: "S9",
    boundary: "stranger",
    quick: true,
    before: "succeeds",
    tries:
      "a stranger walks the state while a test runs, land's umask being 000",
    piece: {
      at: "test",
      script: ({ id }) => `touch /tmp/walk-${id}; sleep 6`,
      during: async (here, signal) => {
        const { place, id } = here;
        await until(
          async () =>
            signal.aborted ||
            (await place.find(place.state, "-name", `walk-${id}`)).length > 0,
          240_000,
        );
        return tooMuch(await walk(here));
      },
    },
  },
  {
    id: "s9-walk",
    row: "S9",
    boundary: "stranger",
    quick: true,
    before: "succeeds",
    tries: "a stranger walks the state at rest, and asks the commands",
    async carryOut(here) {
      const { place } = here;
      const found = await walk(here);
      const asked = await run(
        asStranger([
          ...[join(place.program, "bin/ubuntu-ci"), "--state-dir", place.state],
          ...["status", "--json"],
        ]),
      );
      return {
        ran: found.some(({ path }) => path.startsWith("archive/"))
          ? true
          : "a stranger does not even see the archive",
        breach:
          tooMuch(found) ??
          (asked.code === 0
            ? "ubuntu-ci status tells a stranger of the tickets"
            : undefined),
      };
    },
  },
  {
    id: "s9-memory",
    row: "S9",
    boundary: "stranger",
    quick: true,
    before: "held",
    tries: "a stranger looks into the owner's processes through /proc",
    async carryOut({ place, canary }) {
      const { pid } = place.sentinel;
      const { stdout } = await run(
        asStranger([
          ...[
            "sh",
            "-c",
            'for f in environ mem fd/0 root/etc/passwd cwd/.; do head -c 10 "/proc/$0/$f" >/dev/null 2>&1 && echo "$f"; done; ls "/proc/$0/fd" "$1" 2>/dev/null; true',
          ],
          ...[String(pid), canary.folder],
        ]),
      );
      return {
        ran: existsSync(`/proc/${pid}`) ? true : "the process is gone",
        breach: stdout === "" ? undefined : `it saw ${stdout.trim()}`,
      };
    },
  },
  {
    id: "s8-bound-names",
    row: "S8",
    boundary: "locks",
    exclusive: true,
    quick: true,
    before: "succeeds",
    tries: "a stranger holds the socket names that locks might have",
    carryOut: withBoundNames,
  },
  {
    id: "s8-across-networks",
    row: "S8",
    boundary: "locks",
    exclusive: true,
    before: "succeeds",
    tries:
      "a command in another network namespace goes on in the middle of a revert",
    carryOut: acrossNetworks,
  },
  {
    id: "s8-open-lock-files",
    row: "S8",
    boundary: "locks",
    exclusive: true,
    before: "held",
    tries:
      "a stranger locks every file of the state that can be opened, for good",
    async carryOut(here) {
      const { place } = here;
      const files = await place.find(
        place.state,
        "-type",
        "f",
        "-maxdepth",
        "2",
      );
      let holder;
      const locking = run(
        asStranger([
          "perl",
          "-e",
          'for (@ARGV) { open(my $f, "<", $_) or next; flock($f, 6) and push @held, $f; } print scalar(@ARGV), " tried\\n"; sleep 120',
          ...files,
        ]),
        { onStart: (child) => (holder = child) },
      );
      try {
        const made = await place.ci(["maintenance", "status"], {
          timeoutMs: 120_000,
        });
        const ticket = await place.ci(
          [
            "create_ticket",
            "-t",
            here.name,
            "-s",
            await place.upload({ source: here.name }),
          ],
          { timeoutMs: 120_000 },
        );
        return {
          ran: ticket.code === 0 && !made.timedOut ? true : ticket.stderr,
          breach: ticket.timedOut ? "create_ticket hung" : undefined,
        };
      } finally {
        killGroup(holder.pid);
        await locking;
      }
    },
  },
  {
    id: "s9-database",
    row: "S9",
    boundary: "stranger",
    before: "succeeds",
    tries: "a stranger reads the database and unpublished uploads",
    async carryOut({ place }) {
      const files = [
        join(place.state, "state.sqlite"),
        ...(await place.find(join(place.state, "store"), "-name", "*.dsc")),
      ];
      const read = [];
      for (const file of files.slice(0, 5)) {
        const { code } = await run(asStranger(["head", "-c", "1", file]));
        if (code === 0) read.push(relative(place.state, file));
      }
      return {
        ran: files.length > 1 ? true : "there is no upload yet",
        breach:
          read.length > 0 ? `a stranger read ${read.join(", ")}` : undefined,
      };
    },
  },
];
