/** A setting's kind decides how it is checked and shown. */
export type SettingKind =
  | { readonly type: "string"; readonly choices?: readonly string[] }
  | { readonly type: "integer"; readonly min: number; readonly max: number }
  | { readonly type: "boolean" }
  | { readonly type: "list" };

export interface Setting {
  readonly key: string;
  readonly kind: SettingKind;
  readonly default: string | number | boolean | readonly string[] | null;
  readonly help: string;
  /**
   * It decides whom to trust: what comes into packages, who may upload, whether it is built and tested,
   * what clients are told, where the report goes. It counts only from where the state's owner or root
   * alone can have written it.
   */
  readonly trust?: true;
}

/** When `ubuntu-ci check` finds a figure bad: two settings, 0 in either is never. */
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

/**
 * Every setting there is, in the order the sample configuration shows them. One table serves the
 * check of a file, `ubuntu-ci config`, and the sample of a file that it writes.
 */
export const settings = [
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
  {
    key: "concurrency",
    kind: { type: "integer", min: 1, max: 64 },
    default: 1,
    help: "tickets in flight at a time",
  },
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
    key: "admission.signatures",
    kind: { type: "string", choices: ["required", "optional"] },
    default: "required",
    help: "whether an upload must be signed by an uploader",
    trust: true,
  },
  {
    key: "admission.maxFileMiB",
    kind: { type: "integer", min: 1, max: 1048576 },
    default: 2048,
    help: "largest file of an upload",
  },
  {
    key: "admission.maxFiles",
    kind: { type: "integer", min: 1, max: 10000 },
    default: 100,
    help: "most files of an upload",
  },
  {
    key: "admission.maxTotalMiB",
    kind: { type: "integer", min: 1, max: 1048576 },
    default: 8192,
    help: "most of all files of a ticket together",
  },
  {
    key: "builder",
    kind: { type: "string", choices: ["session", "sbuild", "fake"] },
    default: "session",
    help: "what builds packages",
    trust: true,
  },
  {
    key: "imager",
    kind: { type: "string", choices: ["session", "fake"] },
    default: "session",
    help: "what makes images",
    trust: true,
  },
  {
    key: "tester",
    kind: { type: "string", choices: ["autopkgtest", "fake"] },
    default: "autopkgtest",
    help: "what runs tests",
    trust: true,
  },
  {
    key: "archiveKeeper",
    kind: { type: "string", choices: ["aptly", "fake"] },
    default: "aptly",
    help: "what keeps the PPAs and the archive",
    trust: true,
  },
  {
    key: "build.parallel",
    kind: { type: "integer", min: 1, max: 64 },
    default: 2,
    help: "source packages of one ticket built side by side",
  },
  {
    key: "build.timeoutMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 240,
    help: "time limit of one package's build",
  },
  {
    key: "image.timeoutMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 60,
    help: "time limit of one image",
  },
  {
    key: "network.allow",
    kind: { type: "list" },
    default: [],
    help: "private networks and addresses (IPv4) that builds, images and tests may reach beside the internet",
    trust: true,
  },
  {
    key: "tests.network",
    kind: { type: "string", choices: ["internet", "mirrors", "none"] },
    default: "internet",
    help: "network of tests: the internet, as Debian's own CI has it, the configured mirrors, or none",
    trust: true,
  },
  {
    key: "test.timeoutMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 240,
    help: "time limit of one package's tests",
  },
  {
    key: "publish.timeoutMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 60,
    help: "time limit of one publication",
  },
  {
    key: "ppa.timeoutMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 30,
    help: "time limit of preparing a PPA",
  },
  {
    key: "retry.limit",
    kind: { type: "integer", min: 0, max: 100 },
    default: 3,
    help: "retries of a step after a temporary failure",
  },
  {
    key: "retry.firstDelaySeconds",
    kind: { type: "integer", min: 0, max: 86400 },
    default: 60,
    help: "wait before the first retry; doubled for each further one",
  },
  {
    key: "lock.warnAfterMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 120,
    help: "age at which a lock is warned about",
  },
  {
    key: "maintenance.warnAfterMinutes",
    kind: { type: "integer", min: 1, max: 525600 },
    default: 240,
    help: "age at which maintenance may have been forgotten",
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
  {
    key: "staging.url",
    kind: { type: "string" },
    default: null,
    help: "ticket system that --staging talks to",
  },
  {
    key: "report.title",
    kind: { type: "string" },
    default: "ubuntu-ci",
    help: "title of the report",
  },
  {
    key: "report.rsyncTarget",
    kind: { type: "string" },
    default: null,
    help: "where `shepherd-report --rsync` sends the report",
    trust: true,
  },
  {
    key: "archive.url",
    kind: { type: "string" },
    default: null,
    help: "address of the archive for clients; default: its folder, as file:",
    trust: true,
  },
  {
    key: "archive.origin",
    kind: { type: "string" },
    default: "ubuntu-ci",
    help: "Origin and Label of the archive's Release files",
    trust: true,
  },
  {
    key: "fake.builder",
    kind: { type: "string" },
    default: "pass",
    help: "fake builder: pass, fail, tmpfail, slow, tool, kill, remote; per package as SOURCE=KNOB,…",
  },
  {
    key: "fake.imager",
    kind: { type: "string" },
    default: "pass",
    help: "fake imager: the same knobs",
  },
  {
    key: "fake.tester",
    kind: { type: "string" },
    default: "pass",
    help: "fake tester: the same knobs",
  },
  {
    key: "fake.archive",
    kind: { type: "string" },
    default: "pass",
    help: "fake archive: the same knobs",
  },
] as const satisfies readonly Setting[];

type Table = typeof settings;
export type SettingKey = Table[number]["key"];
type KindOf<K extends SettingKey> = Extract<Table[number], { key: K }>["kind"];
type DefaultOf<K extends SettingKey> = Extract<
  Table[number],
  { key: K }
>["default"];
type Value<T> = T extends { type: "integer" }
  ? number
  : T extends { type: "boolean" }
    ? boolean
    : T extends { type: "list" }
      ? readonly string[]
      : T extends { choices: readonly (infer C)[] }
        ? C
        : string;

/** The type of a setting's value; null where there is no default. */
export type SettingValue<K extends SettingKey> =
  Value<KindOf<K>> | (DefaultOf<K> extends null ? null : never);
