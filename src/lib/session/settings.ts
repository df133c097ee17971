import type { Setting } from "../domain/setting.ts";

const limit = <const Key extends string>(
  key: Key,
  [min, standard, max]: readonly [number, number, number],
  help: string,
) =>
  ({
    key,
    kind: { type: "integer", min, max },
    default: standard,
    help,
  }) as const;

/** The same, with a default that follows from the machine. */
const limitOfMachine = <const Key extends string>(
  key: Key,
  [min, max]: readonly [number, number],
  help: string,
) =>
  ({ key, kind: { type: "integer", min, max }, default: null, help }) as const;

const most = 2 ** 31;

export const sessionSettings = [
  limit(
    "limits.processes",
    [64, 16_384, 4_000_000],
    "processes of one session, which is a build, an image, or a test",
  ),
  limitOfMachine(
    "limits.memoryMiB",
    [64, most],
    "memory of the processes of one session; default: three quarters of the machine's",
  ),
  limit(
    "limits.cpuMinutes",
    [1, 1440, most],
    "CPU time of each process in a session",
  ),
  limit(
    "limits.diskMiB",
    [64, 262_144, most],
    "what one session may write to disk",
  ),
  limitOfMachine(
    "limits.tmpfsMiB",
    // apt's cache lies in one of them.
    [256, most],
    "size of each file system in memory in a session; default: an eighth of the machine's memory",
  ),
  limit(
    "limits.openFiles",
    [256, 524_288, 1_048_576],
    "open files of each process in a session, as far as this user may have them",
  ),
  limit("limits.logMiB", [1, 512, 100_000], "size of one log"),
  limit(
    "limits.resultsMiB",
    [1, 65_536, most],
    "size of the packages of one build, or the artifacts of one test",
  ),
  {
    key: "series",
    kind: { type: "list" },
    default: null,
    help: "series that `init` makes a base for; default: the machine's own",
  },
  {
    key: "mirror",
    kind: { type: "string" },
    default: null,
    help: "mirror of the distribution; default: the machine's own apt sources",
    trust: true,
  },
  {
    key: "components",
    kind: { type: "list" },
    default: ["main"],
    help: "components of the mirror, when `mirror` is set",
    trust: true,
  },
  {
    key: "mirrorKeyring",
    kind: { type: "string" },
    default: null,
    help: "keyring that signs the mirror, when `mirror` is set; default: the distribution's",
    trust: true,
  },
] as const satisfies readonly Setting[];
