import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { parseDsc } from "../../debian/dsc.ts";
import { parseVersion } from "../../debian/version.ts";
import { now } from "../../host/clock.ts";
import { describeEnd } from "../../host/exec.ts";
import { watchMachine } from "../../host/shortage.ts";
import type { Base, Layer } from "../../session/layer.ts";
import {
  findLayer,
  requireBase,
  touchLayer,
} from "../../session/find-layer.ts";
import { keepUpper } from "../../session/make-layer.ts";
import { openSession } from "../../session/open-session.ts";
import { takeFiles, TooMuch } from "../../session/receive.ts";
import type { GivenFile, Session } from "../../session/session.ts";
import { readPrintUris, readRemoved, type AptUri } from "../apt-verdict.ts";
import type { TaskRun } from "../run-task.ts";
import { publishedIn } from "../published.ts";
import { askApt, repositoryOf, runApt, setUpApt } from "../session-apt.ts";
import { ourFault, packageFault, toolFault, Verdict } from "../verdict.ts";
import type { ProducedFile } from "../run-context.ts";
import { buildFault } from "./build-log.ts";
import {
  locale,
  runBuild,
  UnmetDependencies,
  type BuilderOptions,
} from "./build-task.ts";
import type { Builder, BuildRequest } from "./builder.ts";
import { collectBuild } from "./collect.ts";
import {
  dscForApt,
  knownDepsKey,
  recallDeps,
  rememberDeps,
  stillHolds,
} from "./known-deps.ts";

/** Where a source is unpacked: always the same path, so that the .debs are reproducible. */
export const buildPath = "/build/reproducible-path";

const sourceInside = "/usr/lib/ubuntu-ci/source";

/** Above any real package; see SECURITY.md. */
const resultLimits = { files: 10_000, mebibytes: 65_536 };

interface SessionBuilderOptions extends BuilderOptions {
  /** Private networks that sessions may reach. */
  readonly allow: readonly string[];
}

/** What the stages of one build share. */
interface BuildRun extends TaskRun, SessionBuilderOptions {
  readonly request: BuildRequest;
}

/**
 * A builder that compiles in a throw-away session over the series' base and a kept layer of build
 * dependencies. Only downloads have network access; the compile runs as a plain user without it.
 */
export function createSessionBuilder(options: SessionBuilderOptions): Builder {
  return {
    build: (request, work) =>
      runBuild("session", request, work, options.timeoutMs, async (task) => {
        const { layers } = options.paths;
        const base = await task.clock.time("session", () =>
          requireBase(layers, request.series, null),
        );
        task.startFrom(base);
        await task.log.write(`base: ${base.name} ${base.digest}\n`);
        const run = { ...task, ...options, request };
        const deps = await buildDeps(run, base);
        if (deps.layer === null) return compile(run, [base], deps.remember);
        await touchLayer(layers, deps.layer.name);
        return compile(run, [deps.layer, base], deps.remember);
      }),
  };
}

/** The layer with the build dependencies; null when the base has them all. */
interface BuildDeps {
  readonly layer: Layer | null;
  /** Records the resolution from a session that has them installed; null when it is known already. */
  readonly remember: ((session: Session) => Promise<void>) | null;
}

/**
 * Finds the layer with the build dependencies, using apt only if they are not on record. Only
 * resolutions entirely from the distribution are recorded: other packages may be gone next time, and
 * could forge the record.
 */
async function buildDeps(run: BuildRun, base: Base): Promise<BuildDeps> {
  const { request, clock, log, paths } = run;
  run.say({ message: `build dependencies of ${request.source}` });
  const dsc = await readFile(request.dsc, "utf8");
  const key = knownDepsKey(base, dsc);
  const known = await clock.time("build-deps", async () => {
    const found = await recallDeps(paths.layers, key);
    if (found === undefined) return undefined;
    const published = await Promise.all(request.repositories.map(publishedIn));
    if (!stillHolds(found, dsc, published.flat())) return undefined;
    if (found.layer === null) return { layer: null };
    const layer = await findLayer(paths.layers, found.layer);
    return layer === undefined ? undefined : { layer };
  });
  if (known !== undefined) {
    const name = known.layer?.name ?? "none beside the base";
    await log.write(`build dependencies: ${name}, as resolved before\n`);
    return { ...known, remember: null };
  }
  const { layer, allOfDistribution } = await resolveDeps(run, base);
  return {
    layer,
    remember: allOfDistribution
      ? (session) =>
          rememberDeps(paths.layers, key, layer?.name ?? null, session)
      : null,
  };
}

/** apt's resolution of the build dependencies. */
interface Resolved {
  readonly layer: Layer | null;
  /** Whether all of the packages are the distribution's. */
  readonly allOfDistribution: boolean;
}

/** Has apt resolve the build dependencies, and makes their layer unless it exists. */
async function resolveDeps(run: BuildRun, base: Base): Promise<Resolved> {
  const { request, work, clock, limits, log, paths } = run;
  const apt = await setUpApt(base, request.repositories, run.allow);
  const scratch = join(work.scratch, "build-deps");
  const dsc = `${sourceInside}/${basename(request.dsc)}`;
  const text = await readFile(request.dsc, "utf8");
  const wishes = dscForApt(text, base.architecture);
  const session = await clock.time("session", () =>
    openSession({
      layers: [base.root],
      scratch,
      hostname: "build",
      binds: apt.binds,
      given: [...apt.given, { path: dsc, contents: wishes }],
      network: apt.network,
      ...resourcesFor(run),
    }),
  );
  try {
    return await clock.time("build-deps", async () => {
      const args = ["build-dep", dsc];
      await apt.prepare(session);
      const first = await askApt(session, apt, args, log, limits.any).catch(
        (thrown: unknown) => {
          throw thrown instanceof Verdict && thrown.outcome === "failed"
            ? new UnmetDependencies(thrown.message)
            : thrown;
        },
      );
      const planned = layerFor(base, request.series, first);
      if (planned === null) return { layer: null, allOfDistribution: true };
      const { allOfDistribution } = planned;
      const found = await findLayer(paths.layers, planned.name);
      if (found !== undefined) {
        await log.write(`build dependencies: the kept layer ${found.name}\n`);
        return { layer: found, allOfDistribution };
      }
      const last = await runApt(session, apt, args, first, log, limits.any);
      const made = layerFor(base, request.series, last) ?? planned;
      const cleaned = await session.run(
        ["sh", "-c", "apt-get clean && find /var/log -type f -delete"],
        { env: apt.env, signal: limits.any },
      );
      if (cleaned.exitCode !== 0) throw toolFault("cleaning", cleaned);
      await session.close({ keep: true });
      await log.write(`keeping the build dependencies as ${made.name}\n`);
      const layer = await keepUpper(paths.layers, session.upper, {
        name: made.name,
        kind: "build-deps",
        digest: `sha256:${made.key}`,
        below: [base.name],
        series: request.series,
        architecture: base.architecture,
        created_at: now(),
      });
      return { layer, allOfDistribution: made.allOfDistribution };
    });
  } finally {
    await clock.time("session", () => session.close());
  }
}

/** The layer for an apt plan; null when the plan does nothing. */
function layerFor(base: Base, series: string, plan: string) {
  const [wanted, removed] = [readPrintUris(plan), readRemoved(plan)];
  if (wanted.length === 0 && removed.length === 0) return null;
  const key = layerKey(base, wanted, removed);
  return {
    name: `build-deps-${series}-${key.slice(0, 32)}`,
    key,
    allOfDistribution: wanted.every(
      (one) => repositoryOf(one.uri) === undefined,
    ),
  };
}

/**
 * What a layer of build dependencies depends on, from apt's plan before any package ran: each package
 * with its file's hash and repository, and what is removed.
 */
function layerKey(
  base: Base,
  wanted: readonly AptUri[],
  removed: readonly string[],
): string {
  const hash = createHash("sha256").update(`2\n${base.digest}\n`);
  for (const { file, hash: sum, uri } of wanted)
    hash.update(`${file} ${sum} ${repositoryOf(uri) ?? ""}\n`);
  for (const name of removed) hash.update(`removed ${name}\n`);
  return hash.digest("hex");
}

/** A source package's files, placed where a session unpacks them. */
async function sourceFiles(dsc: string): Promise<readonly GivenFile[]> {
  const { files } = parseDsc(await readFile(dsc), dsc);
  return [basename(dsc), ...files.map(({ name }) => name)].map((name) => ({
    path: `${buildPath}/${name}`,
    contents: { copyOf: join(dirname(dsc), name) },
  }));
}

async function compile(
  run: BuildRun,
  layers: readonly Layer[],
  remember: BuildDeps["remember"],
): Promise<readonly ProducedFile[]> {
  const { request, work, clock, limits, log } = run;
  run.say({ message: `compiling ${request.source} ${request.version}` });
  const session = await clock.time("session", async () =>
    openSession({
      layers: layers.map((layer) => layer.root),
      scratch: join(work.scratch, "compile"),
      hostname: "build",
      given: await sourceFiles(request.dsc),
      builderOwns: "/build",
      // As on a buildd: large builds need more than fits into memory.
      tmpOnDisk: true,
      ...resourcesFor(run),
    }),
  );
  try {
    await remember?.(session);
    const machine = await watchMachine(work.scratch);
    const tree = `${buildPath}/${request.source}-${parseVersion(request.version).upstream}`;
    await clock.time("source", async () => {
      const dsc = `${buildPath}/${basename(request.dsc)}`;
      const unpacked = await session.run(
        ["dpkg-source", "--no-check", "-x", dsc, tree],
        { user: "builder", cwd: buildPath, signal: limits.any, env: buildEnv },
      );
      await log.write(unpacked.stdout + unpacked.stderr);
      limits.any.throwIfAborted();
      if (unpacked.exitCode !== 0)
        throw buildFault(
          "unpacking",
          unpacked.stdout + unpacked.stderr,
          await machine.shortage(),
        );
    });
    await clock.time("compile", async () => {
      const argv = ["dpkg-buildpackage", "-us", "-uc", "--build=binary"];
      await log.write(`\n$ ${argv.join(" ")}\n`);
      const built = await session.run(argv, {
        user: "builder",
        cwd: tree,
        logFile: log.path,
        signal: limits.any,
        env: { ...buildEnv, DEB_BUILD_OPTIONS: `parallel=${run.parallel}` },
      });
      limits.any.throwIfAborted();
      if (built.exitCode === 0) return;
      const shortage = await machine.shortage();
      // What ended the whole session came from outside: the plain user inside cannot.
      if (
        built.exitCode === undefined &&
        (await session.run(["true"])).exitCode !== 0
      )
        throw ourFault(shortage ?? "the session of the build was ended");
      throw buildFault(
        `dpkg-buildpackage ${describeEnd(built)}`,
        await log.tail(),
        shortage,
      );
    });
    return await clock.time("collect", async () => {
      // Ends processes that the build left behind, before they can change the result.
      await session.close({ keep: true });
      const out = join(work.scratch, "out");
      try {
        const { upper } = session;
        const mebibytes = run.resources?.resultsMiB ?? resultLimits.mebibytes;
        const { files } = resultLimits;
        const most = { files, bytes: mebibytes * 1024 ** 2 };
        await takeFiles(upper, buildPath, out, most, limits.any);
      } catch (thrown) {
        if (!(thrown instanceof TooMuch)) throw thrown;
        throw packageFault(
          `the build left ${thrown.limit} (limits.resultsMiB)`,
        );
      }
      return collectBuild(out, await readdir(out), request, limits.any);
    });
  } finally {
    await clock.time("session", () => session.close());
  }
}

const resourcesFor = ({ resources }: BuildRun) =>
  resources === undefined ? {} : { resources };

/** What a build has on Debian's buildds: a plain locale, a shell, no home, and games in PATH. */
const buildEnv = {
  ...locale,
  HOME: "/nonexistent",
  LOGNAME: "builder",
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games",
  SHELL: "/bin/sh",
  USER: "builder",
};
