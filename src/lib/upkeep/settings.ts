import type { Setting } from "../domain/setting.ts";

/** The two thresholds of a figure that `check` judges; 0 means never. */
const thresholds = <const Name extends string, const Unit extends string>(
  name: Name,
  unit: Unit,
  [warn, critical]: readonly [number, number],
  what: string,
) =>
  [
    {
      key: `check.${name}.warn${unit}`,
      kind: { type: "integer", min: 0, max: 100_000_000 },
      default: warn,
      help: `${what} \`check\` warns; 0: never (as for all of check.*)`,
    },
    {
      key: `check.${name}.critical${unit}`,
      kind: { type: "integer", min: 0, max: 100_000_000 },
      default: critical,
      help: `${what} it finds things critical`,
    },
  ] as const;

export const upkeepSettings = [
  {
    key: "ppa.pool",
    kind: { type: "integer", min: 1, max: 999 },
    default: 4,
    help: "PPAs that `init` puts in the pool",
  },
  {
    key: "ppa.prefix",
    kind: { type: "string" },
    default: "ci_pool",
    help: "what the names of the pool's PPAs begin with",
  },
  {
    key: "expire.imagesDays",
    kind: { type: "integer", min: 0, max: 36500 },
    default: 30,
    help: "days that images of ended tickets are kept; 0: for ever (as for all of expire.*Days)",
  },
  {
    key: "expire.resultsDays",
    kind: { type: "integer", min: 0, max: 36500 },
    default: 90,
    help: "days that results of landed tickets are kept which a newer landing superseded",
  },
  {
    key: "expire.logsDays",
    kind: { type: "integer", min: 0, max: 36500 },
    default: 180,
    help: "days that logs of ended tickets are kept",
  },
  {
    key: "expire.filesDays",
    kind: { type: "integer", min: 0, max: 36500 },
    default: 365,
    help: "days that uploads and results of ended tickets are kept",
  },
  {
    key: "expire.imageLayersDays",
    kind: { type: "integer", min: 0, max: 36500 },
    default: 7,
    help: "days that an ended ticket's image stays ready to be tested again",
  },
  {
    key: "expire.layersDays",
    kind: { type: "integer", min: 0, max: 36500 },
    default: 30,
    help: "days that bases and build dependencies are kept which nothing uses any more",
  },
  {
    key: "expire.revisions",
    kind: { type: "integer", min: 1, max: 100000 },
    default: 10,
    help: "newest revisions of the archive that are kept whatever their age",
  },
  {
    key: "expire.revisionsDays",
    kind: { type: "integer", min: 0, max: 36500 },
    default: 90,
    help: "days that older revisions of the archive are kept",
  },
  {
    key: "expire.backups",
    kind: { type: "integer", min: 1, max: 10000 },
    default: 7,
    help: "newest backups in STATE/backups that are kept, of each kind",
  },
  {
    key: "expire.stateCopies",
    kind: { type: "integer", min: 1, max: 1000 },
    default: 2,
    help: "newest copies of the state file that are kept, as migrations set them aside",
  },
  {
    key: "check.maintenance.criticalMinutes",
    kind: { type: "integer", min: 0, max: 100_000_000 },
    default: 2880,
    help: "age of maintenance that `check` finds critical; it warns after maintenance.warnAfterMinutes",
  },
  {
    key: "check.lock.criticalMinutes",
    kind: { type: "integer", min: 0, max: 100_000_000 },
    default: 1440,
    help: "age of a lock that `check` finds critical; it warns after lock.warnAfterMinutes",
  },
  ...thresholds(
    "heartbeat",
    "Minutes",
    [5, 30],
    "minutes without a word of a running step after which",
  ),
  ...thresholds(
    "waiting",
    "Minutes",
    [1440, 4320],
    "minutes that a ticket has waited after which",
  ),
  ...thresholds(
    "infrastructure",
    "",
    [1, 5],
    "tickets that infrastructure failed from whose number on",
  ),
  {
    key: "check.infrastructure.days",
    kind: { type: "integer", min: 1, max: 3650 },
    default: 3,
    help: "days that `check` tells of a ticket that our infrastructure failed",
  },
  ...thresholds(
    "mail",
    "Minutes",
    [60, 1440],
    "minutes that a mail could not be sent after which",
  ),
  ...thresholds("freePpas", "Below", [1, 0], "number of free PPAs below which"),
  ...thresholds(
    "diskFree",
    "MiB",
    [10240, 2048],
    "free space on the disk of the state folder, in MiB, below which",
  ),
  ...thresholds(
    "inodesFree",
    "Percent",
    [10, 3],
    "per cent of the inodes there, free, below which",
  ),
  ...thresholds(
    "report",
    "Minutes",
    [60, 1440],
    "minutes since the last report after which",
  ),
  ...thresholds(
    "backup",
    "Hours",
    [48, 192],
    "hours since the last backup after which",
  ),
  ...thresholds(
    "stateSize",
    "MiB",
    [4096, 16384],
    "size of the state file, in MiB, from which on",
  ),
] as const satisfies readonly Setting[];
