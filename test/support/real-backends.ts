import { mkdir, mkdtemp, readdir, readFile, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { AptRepository } from "../../src/lib/backends/apt-repository.ts";
import { aptlyArchive } from "../../src/lib/backends/archive/aptly.ts";
import type { BuildResult } from "../../src/lib/backends/builder/builder.ts";
import { createSbuildBuilder } from "../../src/lib/backends/builder/sbuild.ts";
import { createSessionBuilder } from "../../src/lib/backends/builder/session.ts";
import type {
  ImageRequest,
  ImageResult,
} from "../../src/lib/backends/imager/imager.ts";
import { createSessionImager } from "../../src/lib/backends/imager/session.ts";
import { aptlyPool } from "../../src/lib/backends/pool/aptly.ts";
import type { RunContext } from "../../src/lib/backends/run-context.ts";
import { createAutopkgtestTester } from "../../src/lib/backends/tester/autopkgtest.ts";
import type { TestRunResult } from "../../src/lib/backends/tester/tester.ts";
import { configOf } from "../../src/lib/config/config.ts";
import { statePaths } from "../../src/lib/host/paths.ts";
import { makeBase } from "../../src/lib/session/make-base.ts";
import { removeTree } from "../../src/lib/session/remove-tree.ts";
import { writeSource, type TinyPackage } from "./tiny-package.ts";

const series = "bookworm";

/** The options that the builder, the imager and the tester have in common. */
type Options = Partial<
  Parameters<typeof createSessionBuilder>[0] &
    Parameters<typeof createAutopkgtestTester>[0] & {
      builder: "session" | "sbuild";
    }
>;

/** The real builder, imager and tester over a state folder of their own, with a PPA. */
export type RealBackends = Awaited<ReturnType<typeof realBackends>>;

/** Its base is that of UBUNTU_CI_TEST_STATE_DIR, or made. */
export async function realBackends(options: Options = {}) {
  const root = await mkdtemp(join(tmpdir(), "real."));
  const paths = statePaths(join(root, "state"));
  await mkdir(paths.layers, { recursive: true });
  const lender = process.env["UBUNTU_CI_TEST_STATE_DIR"];
  if (lender === undefined) await makeBase(paths, series, configOf({}, null));
  else {
    const { layers } = statePaths(lender);
    for (const name of await readdir(layers))
      if (name.startsWith(`base-${series}-`))
        await symlink(join(layers, name), join(paths.layers, name));
  }
  const archive = aptlyArchive(paths, "Tiny");
  const pool = aptlyPool(paths, "Tiny");
  await archive.init([series]);
  const ppa = await pool.reset("ci_pool-001", series);
  const repositories = [ppa, await archive.repository(series)];
  const common = {
    ...{ paths, parallel: 2, timeoutMs: 600_000, allow: [] },
    reach: "internet" as const,
    ...options,
  };
  let count = 0;
  const workFor = async (): Promise<RunContext> => {
    const scratch = join(root, `work-${(count += 1)}`);
    await mkdir(scratch);
    return {
      scratch,
      signal: new AbortController().signal,
      progress: () => undefined,
      note: () => undefined,
    };
  };

  async function build(
    tiny: TinyPackage,
    more: Options = {},
    from: readonly AptRepository[] = [ppa],
  ): Promise<BuildResult & { readonly dsc: string }> {
    const folder = join(root, `source-${(count += 1)}`);
    await mkdir(folder);
    const dsc = await writeSource(folder, tiny);
    const { source, version } = tiny;
    const create =
      more.builder === "sbuild" ? createSbuildBuilder : createSessionBuilder;
    const result = await create({ ...common, ...more }).build(
      { source, version, series, dsc, repositories: from },
      await workFor(),
    );
    return { ...result, dsc };
  }

  /** Builds a package into the PPA, and returns the path of its .dsc. */
  async function intoPpa(tiny: TinyPackage): Promise<string> {
    const result = await build(tiny);
    await expectPassed(result);
    const debs = result.files.filter(({ name }) => name.endsWith(".deb"));
    await pool.add("ci_pool-001", series, [
      result.dsc,
      ...debs.map(({ path }) => path),
    ]);
    return result.dsc;
  }

  async function image(
    add: readonly string[],
    more: Partial<ImageRequest> = {},
  ): Promise<ImageResult> {
    const request: ImageRequest = {
      ...{ ticket: 1, series, baseImage: null, add, remove: [] },
      repositories,
      types: ["rootfs"],
      ...more,
    };
    return createSessionImager(common).buildImage(request, await workFor());
  }

  async function test(
    tiny: TinyPackage,
    more: Options = {},
  ): Promise<TestRunResult> {
    const dsc = await intoPpa(tiny);
    const made = await image(Object.keys(tiny.binaries));
    await expectPassed(made);
    if (made.image === null) throw new Error("no image");
    const { source, version } = tiny;
    return createAutopkgtestTester({ ...common, ...more }).test(
      { source, version, series, dsc, image: made.image, repositories },
      await workFor(),
    );
  }

  return {
    ...{ root, paths, ppa, build, intoPpa, image, test },
    close: () => removeTree(root),
  };
}

/** The text of a result's log. */
export async function logOf(result: {
  readonly log: { readonly path: string } | null;
}): Promise<string> {
  return result.log === null ? "" : readFile(result.log.path, "utf8");
}

/** @throws with the log, when it did not pass */
export async function expectPassed(result: {
  readonly outcome: string;
  readonly reason: string | null;
  readonly log: { readonly path: string } | null;
}): Promise<void> {
  if (result.outcome !== "passed")
    throw new Error(`${result.reason ?? ""}\n${await logOf(result)}`);
}
