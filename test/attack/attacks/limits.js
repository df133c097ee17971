import { run } from "../process.js";
import { proved } from "../package.js";

/** Small limits, so that an attack is soon at them. That of CPU time, in minutes, is tried elsewhere. */
const limits = {
  ...{ processes: 200, memoryMiB: 300, diskMiB: 400 },
  ...{ tmpfsMiB: 256, openFiles: 512, logMiB: 5, resultsMiB: 50 },
};
const settings = { limits };

/** What uses more than each limit, as shell. */
const greedy = {
  processes: "for i in $(seq 96000); do sleep 60 & done; wait",
  memoryMiB: "perl -e '$x = \"x\" x 1_000_000_000; sleep 60'",
  diskMiB: "head -c 3000000000 /dev/urandom >big; sleep 60",
  logMiB: "yes | head -c 3000000000",
};

/** What must be told: that the package ran into that very limit. */
const namesLimit =
  (limit) =>
  (_here, { status }) =>
    status.failure?.kind === "package" &&
    status.failure.reason.includes(`limits.${limit}`)
      ? undefined
      : `it is told as ${status.failure?.kind ?? status.status}: ${status.failure?.reason ?? "no failure"}`;

const attack = {
  ...{ row: "S16", before: "succeeds" },
  land: { settings, timeoutMs: 240_000 },
};

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  ...Object.entries(greedy).map(([limit, script]) => ({
    ...attack,
    id: `s16-build-${limit.toLowerCase()}`,
    boundary: "build",
    quick: limit === "processes",
    tries: `a build uses more than limits.${limit}`,
    ticket: ({ id, name }) => [
      { source: name, build: `${proved(id, ":")}${script}\n` },
    ],
    look: namesLimit(limit),
  })),
  ...["processes", "memoryMiB", "diskMiB"].map((limit) => ({
    ...attack,
    id: `s16-test-${limit.toLowerCase()}`,
    boundary: "test",
    tries: `a test uses more than limits.${limit}`,
    ticket: ({ id, name }) => [
      {
        source: name,
        tests: [{ name: "t1", script: `${proved(id, ":")}${greedy[limit]}\n` }],
      },
    ],
    look: namesLimit(limit),
    isCarriedOut: (told) => told.status.failure !== null,
  })),
  {
    ...attack,
    id: "s16-tmpfs",
    boundary: "build",
    tries: "a build fills file systems in memory",
    ticket: ({ id, name }) => [
      {
        source: name,
        build: `${proved(id, "head -c 900000000 /dev/zero >/dev/shm/big")}echo "SHM-${id} $(stat -c %s /dev/shm/big)"\n`,
      },
    ],
    look: ({ id }, { logs }) => {
      const bytes = Number(new RegExp(`SHM-${id} ([0-9]+)`).exec(logs)?.[1]);
      return bytes <= limits.tmpfsMiB * 1024 ** 2
        ? undefined
        : `/dev/shm took ${bytes} bytes`;
    },
  },
  {
    ...attack,
    id: "s16-sparse-artifact",
    boundary: "test",
    quick: true,
    tries: "a test leaves a huge file of nothing, to be made dense",
    ticket: ({ id, name }) => [
      {
        source: name,
        tests: [
          {
            name: "t1",
            script: proved(id, 'truncate -s 6G "$AUTOPKGTEST_ARTIFACTS/core"'),
          },
        ],
      },
    ],
    look: (_here, { status }) => {
      const large = status.artifacts.find(
        ({ name, size }) => name.endsWith(".tar.zst") && size > 200_000_000,
      );
      return status.failure !== null
        ? `the test is told as failed: ${status.failure.reason}`
        : large && `${large.name} has ${large.size} bytes`;
    },
  },
  {
    ...attack,
    id: "s16-others-go-on",
    boundary: "build",
    exclusive: true,
    tries: "a build that uses all it can ends another ticket's",
    async carryOut({ id, name, place }) {
      const greed = await place.ticket([
        { source: name, build: `${proved(id, ":")}${greedy.memoryMiB}\n` },
      ]);
      const innocent = await place.ticket([
        { source: `${name}-innocent`, build: "sleep 12\n" },
      ]);
      const argv = place.argvWith({ ...settings, concurrency: 2 }, [
        ...["land", "--until", "build-source"],
      ]);
      await run(argv, { env: place.env, timeoutMs: 240_000 });
      const told = await place.told(greed);
      const other = await place.status(innocent);
      return {
        ran: told.logs.includes(`ATTACK ${id} begins`) || told.status.status,
        breach:
          namesLimit("memoryMiB")(null, told) ??
          (other.step.code <= 200
            ? `the innocent ticket is ${other.status} at ${other.step.name}`
            : undefined),
      };
    },
  },
];
