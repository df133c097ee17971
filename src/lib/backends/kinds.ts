import { availableParallelism } from "node:os";

import type { Config } from "../config/config.ts";
import type { SettingKey, SettingValue } from "../config/settings.ts";
import type { Setting } from "../domain/setting.ts";
import type { StatePaths } from "../host/paths.ts";
import { resourcesOf } from "../session/resources.ts";
import type { Archive } from "./archive/archive.ts";
import type { Distribution } from "./distribution/distribution.ts";
import type { Builder, RemoteBuilder } from "./builder/builder.ts";
import type { Imager } from "./imager/imager.ts";
import type { Pool } from "./pool/pool.ts";
import type { Tester } from "./tester/tester.ts";

/**
 * One kind of a backend, and what it needs. To add one: implement the interface in its port's folder, give
 * it an entry below, and add its name to the setting that chooses it (settings.ts).
 */
export interface BackendKind<B> {
  /** The settings that it reads. */
  readonly settings: readonly SettingKey[];
  /** The programs that it runs, apart from those that every installation needs. */
  readonly tools: readonly string[];
  /** Whether it needs a base of each series, made by `init`. */
  readonly needsBase: boolean;
  /** It does nothing real, and is hidden from people who set up an installation. */
  readonly forTests?: true;
  /** Loads its code, and that of no other kind. */
  open(paths: StatePaths, config: Config): Promise<B>;
}

/** The kinds of a backend, by their names in the setting that chooses one. */
type Kinds<Key extends SettingKey, B> = Readonly<
  Record<SettingValue<Key> & string, BackendKind<B>>
>;

const sessionTools = [
  ...["unshare", "nsenter", "newuidmap", "newgidmap", "perl"],
  ...["pasta", "ip", "bash"],
];
const aptly = <B>(open: BackendKind<B>["open"]): BackendKind<B> => ({
  settings: ["archive.origin", "archive.validDays", "archive.keyOverlapDays"],
  ...{ tools: ["aptly", "gpg", "gpgv", "xz"], needsBase: false },
  open,
});

const fake = <B>(
  settings: readonly SettingKey[],
  open: BackendKind<B>["open"],
): BackendKind<B> => ({
  ...{ settings, tools: [], needsBase: false, forTests: true },
  open,
});

const limits = (config: Config, work: "build" | "image" | "test") => ({
  timeoutMs: config.get(`${work}.timeoutMinutes`) * 60_000,
  allow: config.get("network.allow"),
  resources: resourcesOf(config),
});

const buildOptions = (paths: StatePaths, config: Config) => ({
  ...{ paths, parallel: availableParallelism() },
  ...limits(config, "build"),
});

const builders: Kinds<"builder", Builder | RemoteBuilder> = {
  session: {
    settings: ["build.timeoutMinutes", "network.allow"],
    tools: [...sessionTools, "mmdebstrap"],
    needsBase: true,
    open: async (paths, config) =>
      (await import("./builder/session.ts")).createSessionBuilder(
        buildOptions(paths, config),
      ),
  },
  sbuild: {
    settings: ["build.timeoutMinutes"],
    tools: [...sessionTools, "mmdebstrap", "sbuild"],
    needsBase: true,
    open: async (paths, config) =>
      (await import("./builder/sbuild.ts")).createSbuildBuilder(
        buildOptions(paths, config),
      ),
  },
  fake: fake(["fake.builder"], async (paths, config) => {
    const knobs = config.get("fake.builder");
    const { knobFor } = await import("./fake-knob.ts");
    return knobFor(knobs, "").kind === "remote"
      ? (await import("./builder/fake-remote.ts")).createFakeRemoteBuilder(
          paths,
          knobs,
        )
      : (await import("./builder/fake.ts")).createFakeBuilder(knobs);
  }),
};

const ofBase: BackendKind<Distribution> = {
  ...{ settings: [], tools: [], needsBase: true },
  open: async (paths) =>
    (await import("./distribution/of-base.ts")).distributionOfBase(
      paths.layers,
    ),
};

/** What packages are built with is what their users have. */
const distributions: Kinds<"builder", Distribution> = {
  ...{ session: ofBase, sbuild: ofBase },
  fake: fake(["fake.distribution"], async (_paths, config) =>
    (await import("./distribution/fake.ts")).fakeDistribution(
      config.get("fake.distribution"),
    ),
  ),
};

const imagers: Kinds<"imager", Imager> = {
  session: {
    settings: ["image.timeoutMinutes", "network.allow"],
    tools: [...sessionTools, "mmdebstrap"],
    needsBase: true,
    open: async (paths, config) =>
      (await import("./imager/session.ts")).createSessionImager({
        paths,
        ...limits(config, "image"),
      }),
  },
  fake: fake(["fake.imager"], async (_paths, config) =>
    (await import("./imager/fake.ts")).createFakeImager(
      config.get("fake.imager"),
    ),
  ),
};

const testers: Kinds<"tester", Tester> = {
  autopkgtest: {
    settings: [
      "test.timeoutMinutes",
      "network.allow",
      "tests.network",
      "tests.on",
    ],
    tools: [...sessionTools, "autopkgtest"],
    // An image includes the base that its tests need.
    needsBase: false,
    open: async (paths, config) =>
      (await import("./tester/autopkgtest.ts")).createAutopkgtestTester({
        paths,
        ...limits(config, "test"),
        reach: config.get("tests.network"),
        on: config.get("tests.on"),
      }),
  },
  fake: fake(["fake.tester"], async (_paths, config) =>
    (await import("./tester/fake.ts")).createFakeTester(
      config.get("fake.tester"),
    ),
  ),
};

const pools: Kinds<"archiveKeeper", Pool> = {
  aptly: aptly(async (paths, config) =>
    (await import("./pool/aptly.ts")).aptlyPool(
      paths,
      config.get("archive.origin"),
    ),
  ),
  fake: fake([], async (paths) =>
    (await import("./pool/fake.ts")).fakePool(paths),
  ),
};

const archives: Kinds<"archiveKeeper", Archive> = {
  aptly: aptly(async (paths, config) =>
    (await import("./archive/aptly.ts")).aptlyArchive(
      paths,
      config.get("archive.origin"),
      config.get("archive.validDays"),
    ),
  ),
  fake: fake(["fake.archive"], async (paths, config) =>
    (await import("./archive/fake.ts")).fakeArchive(
      paths,
      config.get("fake.archive"),
    ),
  ),
};

/** The kind of each backend that a configuration chooses. */
export const builderOf = (config: Config) => builders[config.get("builder")];
export const distributionOf = (config: Config) =>
  distributions[config.get("builder")];
export const imagerOf = (config: Config) => imagers[config.get("imager")];
export const testerOf = (config: Config) => testers[config.get("tester")];
export const poolOf = (config: Config) => pools[config.get("archiveKeeper")];
export const archiveOf = (config: Config) =>
  archives[config.get("archiveKeeper")];

/** The same for all backends, in the order in which a ticket needs them. */
export const chosenKinds = (config: Config): readonly BackendKind<unknown>[] =>
  [poolOf, builderOf, imagerOf, testerOf, archiveOf].map((of) => of(config));

/** Whether a chosen backend needs bases. */
export const needsBases = (config: Config): boolean =>
  chosenKinds(config).some(({ needsBase }) => needsBase);

/** The settings without the kinds that are for tests, and without what only such kinds read. */
export function settingsForPeople(all: readonly Setting[]): Setting[] {
  const ports = [
    ["builder", builders],
    ["builder", distributions],
    ["imager", imagers],
    ["tester", testers],
    ["archiveKeeper", pools],
    ["archiveKeeper", archives],
  ] as const;
  const hidden = new Set<string>();
  const shown = new Set<string>();
  for (const [chooser, kinds] of ports)
    for (const [name, kind] of Object.entries<BackendKind<unknown>>(kinds))
      for (const one of [`${chooser}=${name}`, ...kind.settings])
        (kind.forTests === true ? hidden : shown).add(one);
  const isHidden = (one: string) => hidden.has(one) && !shown.has(one);
  return all
    .filter(({ key }) => !isHidden(key))
    .map((setting) => {
      const { key, kind } = setting;
      if (kind.type !== "string" || kind.choices === undefined) return setting;
      const choices = kind.choices.filter((one) => !isHidden(`${key}=${one}`));
      return { ...setting, kind: { ...kind, choices } };
    });
}
