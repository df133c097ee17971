import { availableParallelism } from "node:os";

import type { Config } from "../config/config.ts";
import type { StatePaths } from "../host/paths.ts";
import type { ArchiveKeeper } from "./archive/archive.ts";
import type { Builder, RemoteBuilder } from "./builder/builder.ts";
import type { Imager } from "./imager/imager.ts";
import type { Tester } from "./tester/tester.ts";

const minute = 60_000;

/** The builder the configuration names; only its own code is loaded. */
export async function createBuilder(
  paths: StatePaths,
  config: Config,
): Promise<Builder | RemoteBuilder> {
  const options = {
    paths,
    parallel: availableParallelism(),
    timeoutMs: config.get("build.timeoutMinutes") * minute,
    allow: config.get("network.allow"),
  };
  const builder = config.get("builder");
  switch (builder) {
    case "session":
      return (await import("./builder/session.ts")).createSessionBuilder(
        options,
      );
    case "sbuild":
      return (await import("./builder/sbuild.ts")).createSbuildBuilder(options);
    case "fake": {
      const knobs = config.get("fake.builder");
      const { knobFor } = await import("./fake-knob.ts");
      return knobFor(knobs, "").kind === "remote"
        ? (await import("./builder/fake-remote.ts")).createFakeRemoteBuilder(
            paths,
            knobs,
          )
        : (await import("./builder/fake.ts")).createFakeBuilder(knobs);
    }
  }
}

/** The imager the configuration names. */
export async function createImager(
  paths: StatePaths,
  config: Config,
): Promise<Imager> {
  const imager = config.get("imager");
  switch (imager) {
    case "session":
      return (await import("./imager/session.ts")).createSessionImager({
        paths,
        timeoutMs: config.get("image.timeoutMinutes") * minute,
        allow: config.get("network.allow"),
      });
    case "fake":
      return (await import("./imager/fake.ts")).createFakeImager(
        config.get("fake.imager"),
      );
  }
}

/** The tester the configuration names. */
export async function createTester(
  paths: StatePaths,
  config: Config,
): Promise<Tester> {
  const tester = config.get("tester");
  switch (tester) {
    case "autopkgtest":
      return (await import("./tester/autopkgtest.ts")).createAutopkgtestTester({
        paths,
        timeoutMs: config.get("test.timeoutMinutes") * minute,
        allow: config.get("network.allow"),
        reach: config.get("tests.network"),
      });
    case "fake":
      return (await import("./tester/fake.ts")).createFakeTester(
        config.get("fake.tester"),
      );
  }
}

/** What keeps the PPAs and the archive, as the configuration names it. */
export async function createArchive(
  paths: StatePaths,
  config: Config,
): Promise<ArchiveKeeper> {
  const keeper = config.get("archiveKeeper");
  switch (keeper) {
    case "aptly":
      return (await import("./archive/aptly.ts")).aptlyKeeper(paths, {
        origin: config.get("archive.origin"),
      });
    case "fake":
      return (await import("./archive/fake.ts")).fakeKeeper(
        paths,
        config.get("fake.archive"),
      );
  }
}
