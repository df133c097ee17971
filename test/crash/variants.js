import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Enters new namespaces as the same user, with the rights of root in there. */
const unshare =
  process.getuid() === 0
    ? ["unshare"]
    : ["unshare", "--user", "--map-current-user", "--keep-caps"];
const clock = resolve(import.meta.dirname, "jumping-clock.js");
const fiveMinutesMs = 5 * 60_000;
const twentyMinutesMs = 20 * 60_000;
const twoDaysMs = 48 * 60 * 60_000;

/**
 * What else may go wrong while processes are killed. Each makes a variant for one round:
 * - wrap: how the program is started on which host
 * - env: what else it finds in its environment, while killed and while coming to rest
 * - begin, squeeze, relax, end: what happens to the folder of the state around it
 * - config: what is configured differently
 */
export const variants = {
  plain: { make: () => ({}) },

  /** Builds are jobs of somebody else's engine, which take several passes. */
  remote: {
    make: (random) => ({
      remote: true,
      config: { builds: `remote@${random.whole(0, 2)}` },
    }),
  },

  /** The real archive, which signs and makes indexes: slow, so it has to be asked for. */
  aptly: {
    byDefault: false,
    missing: () => (hasTool("aptly") ? undefined : "aptly is not installed"),
    make: () => ({ config: { archiveKeeper: "aptly" } }),
  },

  /** The clock of each process jumps by minutes, days and years while it works. */
  clock: {
    make() {
      let ahead = twoDaysMs;
      return {
        clock: "jumps",
        // The longest wait of these is half of what the clock goes on by with each command at rest.
        config: { retry: { limit: 8, firstDelaySeconds: 1 } },
        env(resting) {
          if (!resting) return withClock("jumps");
          ahead += fiveMinutesMs;
          return withClock(`+${ahead}`);
        },
      };
    },
  },

  /**
   * Processes of two machines on one state. In half of the rounds the second machine never comes
   * back.
   */
  hosts: {
    missing: () => cannot(["--uts", "--net"], ["hostname", "crash-host"]),
    make(random) {
      const lost = random.chance(0.5);
      const name = (resting) =>
        resting && lost ? "crash-a" : random.pick(["crash-a", "crash-b"]);
      return {
        clock: "jumps",
        hosts: ["crash-a", "crash-b"],
        wrap: (program, resting, host = name(resting)) => [
          ...unshare,
          "--uts",
          // Nor can they reach each other by sockets.
          "--net",
          "--",
          "sh",
          "-c",
          // A tool may be what is killed: then this counts as killed, too.
          'hostname "$0" || kill -KILL $$; exec "$@"',
          host,
          program,
        ],
        // A machine sees its own dead at once, and another's when they are silent for ten minutes.
        env: (resting) => (resting ? withClock(`+${twentyMinutesMs}`) : {}),
      };
    },
  },

  /** A small disk that is full now and then, at any byte. */
  disk: {
    missing: () =>
      cannot(["--mount"], ["mount", "-t", "tmpfs", "none", "/mnt"]),
    inside: [...unshare, "--mount", "--"],
    make(random) {
      let folder;
      const filler = () => join(folder, ".filler");
      return {
        disk: "small",
        begin(state) {
          folder = state;
          mkdirSync(state);
          execFileSync("mount", [
            "-t",
            "tmpfs",
            "-o",
            "size=24m,mode=0711",
            "none",
            state,
          ]);
        },
        squeeze() {
          rmSync(filler(), { force: true });
          if (random.chance(0.4)) return;
          const { bavail, bsize } = statfsSync(folder);
          const left = random.pick([0, 0, 4, 8, 16, 40, 100]) * 1024;
          try {
            writeFileSync(
              filler(),
              Buffer.alloc(Math.max(0, bavail * bsize - left)),
            );
          } catch (thrown) {
            // Others wrote meanwhile: it is full, which is what was wanted.
            if (thrown.code !== "ENOSPC") throw thrown;
          }
        },
        relax: () => rmSync(filler(), { force: true }),
        end: (state) => execFileSync("umount", [state]),
      };
    },
  },
};

/** The variants that a run goes through in turn unless others are named. */
export const usualVariants = Object.keys(variants).filter(
  (name) => variants[name].byDefault ?? true,
);

function hasTool(name) {
  return spawnSync(name, ["--help"]).error === undefined;
}

function withClock(how) {
  return { NODE_OPTIONS: `--import ${clock}`, CRASH_CLOCK: how };
}

/** Why that cannot be done in such namespaces, or undefined when it can. */
function cannot(namespaces, command) {
  const [file, ...args] = [...unshare, ...namespaces, "--", ...command];
  const { status, stderr, error } = spawnSync(file, args, { encoding: "utf8" });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}
