import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { parseDsc } from "../../domain/debian/dsc.ts";
import { parseVersion, withoutEpoch } from "../../domain/debian/version.ts";
import { now } from "../../host/clock.ts";
import { describeEnd } from "../../host/exec.ts";
import type { StatePaths } from "../../host/paths.ts";
import type { Base, Layer } from "../../host/session/layer.ts";
import {
  findLayer,
  keepUpper,
  requireBase,
  touchLayer,
} from "../../host/session/layers.ts";
import { openSession } from "../../host/session/open-session.ts";
import { removeTree } from "../../host/session/remove-tree.ts";
import type { Session } from "../../host/session/session.ts";
import { readPrintUris, type AptUri } from "../apt-verdict.ts";
import { carryOut, type Run } from "../carry-out.ts";
import { publishedIn } from "../published.ts";
import { askApt, runApt, setUpApt } from "../session-apt.ts";
import { ourFault, packageFault } from "../verdict.ts";
import type { ProducedFile } from "../work.ts";
import { explainingLine, machineTrouble } from "./build-log.ts";
import type { Builder, BuildRequest, BuildResult } from "./builder.ts";
import { collectBuild } from "./collect.ts";
import {
  knownDepsKey,
  recallDeps,
  rememberDeps,
  stillHolds,
} from "./known-deps.ts";

/** Where a source is unpacked: the same for every build and builder, so that .debs are the same. */
export const buildPath = "/build/reproducible-path";

const sourceInside = "/run/ubuntu-ci/source";
const outInside = "/run/ubuntu-ci/out";

export interface SessionBuilderOptions {
  readonly paths: StatePaths;
  /** Processes a build may use (`DEB_BUILD_OPTIONS=parallel=N`). */
  readonly parallel: number;
  /** Time limit of one build. */
  readonly timeoutMs: number;
}

/** What the stages of one build share. */
interface BuildRun extends Run {
  readonly paths: StatePaths;
  readonly parallel: number;
  readonly request: BuildRequest;
}

/**
 * A builder that compiles in a throw-away session over the series' base and a kept layer of build
 * dependencies. Only fetching has the network; the compile runs as a plain user without it.
 */
export function createSessionBuilder(options: SessionBuilderOptions): Builder {
  return {
    name: "session",
    async build(request, work): Promise<BuildResult> {
      const { source, version, series } = request;
      const subject = `${source} ${version}`;
      const built: { base: string | null } = { base: null };
      const { value, ...ended } = await carryOut(
        work,
        {
          subject,
          done: `${subject} is built`,
          log: {
            name: `${source}_${withoutEpoch(version)}.build.log`,
            title: `Build of ${subject} for ${series}`,
            facts: { builder: "session" },
          },
          timeoutMs: options.timeoutMs,
        },
        async (carried) => {
          const run = { ...carried, ...options, request };
          const { clock, log } = run;
          const base = await clock.time("session", () =>
            requireBase(options.paths.layers, series, null),
          );
          built.base = base.digest;
          await log.write(`base: ${base.name} ${base.digest}\n`);
          const deps = await buildDeps(run, base);
          if (deps.layer !== null)
            await touchLayer(options.paths.layers, deps.layer.name);
          const layers = deps.layer === null ? [base] : [deps.layer, base];
          return compile(run, layers, deps.remember);
        },
      );
      return { ...ended, ...built, files: value ?? [] };
    },
  };
}

/** The layer with the build dependencies; null when the base has them all. */
interface BuildDeps {
  readonly layer: Layer | null;
  /** Notes down, in a session that has them, what they came to; null when that is known. */
  readonly remember: ((session: Session) => Promise<void>) | null;
}

/** Finds the layer with the build dependencies: without apt where they are known, else with it. */
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
  const layer = await resolveDeps(run, base);
  return {
    layer,
    remember: (session) =>
      rememberDeps(paths.layers, key, layer?.name ?? null, session),
  };
}

/** Has apt resolve the build dependencies, and makes their layer unless it is kept. */
async function resolveDeps(run: BuildRun, base: Base): Promise<Layer | null> {
  const { request, work, clock, limits, log, paths } = run;
  const apt = await setUpApt(base, request.repositories, work.scratch);
  const scratch = join(work.scratch, "build-deps");
  const session = await clock.time("session", () =>
    openSession({
      layers: [base.root],
      scratch,
      hostname: "build",
      binds: [
        ...apt.binds,
        { from: dirname(request.dsc), to: sourceInside, writable: false },
      ],
    }),
  );
  // Set inside a callback, which the compiler does not follow.
  let kept = false as boolean;
  try {
    return await clock.time("build-deps", async () => {
      const args = ["build-dep", `${sourceInside}/${basename(request.dsc)}`];
      await apt.prepare(session);
      const wanted = readPrintUris(
        await askApt(session, apt, args, log, limits.any),
      );
      if (wanted.length === 0) return null;
      const key = layerKey(base, wanted);
      const name = `build-deps-${request.series}-${key.slice(0, 16)}`;
      const found = await findLayer(paths.layers, name);
      if (found !== undefined) {
        await log.write(`build dependencies: the kept layer ${name}\n`);
        return found;
      }
      await runApt(session, apt, args, log, limits.any);
      const cleaned = await session.run(
        ["sh", "-c", "apt-get clean && find /var/log -type f -delete"],
        { env: apt.env, signal: limits.any },
      );
      if (cleaned.exitCode !== 0)
        throw ourFault(`cleaning ${describeEnd(cleaned)}: ${cleaned.stderr}`);
      await session.close({ keep: true });
      kept = true;
      await log.write(`keeping the build dependencies as ${name}\n`);
      return keepUpper(paths.layers, session.upper, {
        name,
        kind: "build-deps",
        digest: `sha256:${key}`,
        below: [base.name],
        series: request.series,
        architecture: base.architecture,
        created_at: now(),
      });
    });
  } finally {
    if (kept) await removeTree(scratch);
    else await clock.time("session", () => session.close());
  }
}

/**
 * What a layer of build dependencies depends on. The hash of each file stands for where it came
 * from, so that a PPA's own content is in the key.
 */
function layerKey(base: Base, wanted: readonly AptUri[]): string {
  const hash = createHash("sha256").update(`${base.digest}\n`);
  for (const { file, hash: sum } of wanted) hash.update(`${file} ${sum}\n`);
  return hash.digest("hex");
}

async function compile(
  run: BuildRun,
  layers: readonly Layer[],
  remember: BuildDeps["remember"],
): Promise<readonly ProducedFile[]> {
  const { request, work, clock, limits, log } = run;
  run.say({ message: `compiling ${request.source} ${request.version}` });
  const out = join(work.scratch, "out");
  await mkdir(out, { recursive: true });
  const session = await clock.time("session", () =>
    openSession({
      layers: layers.map((layer) => layer.root),
      scratch: join(work.scratch, "compile"),
      hostname: "build",
      binds: [
        { from: dirname(request.dsc), to: sourceInside, writable: false },
        { from: out, to: outInside, writable: true },
      ],
    }),
  );
  try {
    await remember?.(session);
    const tree = `${buildPath}/${request.source}-${parseVersion(request.version).upstream}`;
    await clock.time("source", async () => {
      const made = await session.run(
        [
          "install",
          "-d",
          "-o",
          "builder",
          "-g",
          "builder",
          "/build",
          buildPath,
        ],
        { signal: limits.any },
      );
      if (made.exitCode !== 0)
        throw ourFault(`${buildPath}: ${made.stderr.trim()}`);
      // The folder the source lies in may be closed to all but us, the session's root.
      const dsc = parseDsc(await readFile(request.dsc, "utf8"), request.dsc);
      const given = await session.run(
        [
          ...["install", "-o", "builder", "-g", "builder", "-m", "0644"],
          ...["-t", buildPath, "--"],
          ...[basename(request.dsc), ...dsc.files.map(({ name }) => name)].map(
            (name) => `${sourceInside}/${name}`,
          ),
        ],
        { signal: limits.any },
      );
      if (given.exitCode !== 0)
        throw ourFault(`copying the source: ${given.stderr.trim()}`);
      const unpacked = await session.run(
        [
          "dpkg-source",
          "--no-check",
          "-x",
          `${buildPath}/${basename(request.dsc)}`,
          tree,
        ],
        { user: "builder", cwd: buildPath, signal: limits.any, env: buildEnv },
      );
      await log.write(unpacked.stdout + unpacked.stderr);
      limits.any.throwIfAborted();
      if (unpacked.exitCode !== 0) {
        const text = unpacked.stdout + unpacked.stderr;
        const trouble = machineTrouble(text);
        throw trouble === undefined
          ? packageFault(`unpacking: ${explainingLine(text)}`)
          : ourFault(trouble);
      }
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
      // A package can't reach what starts its build, so a signal there is the machine's.
      if (built.exitCode === undefined)
        throw ourFault(`dpkg-buildpackage ${describeEnd(built)}`);
      if (built.exitCode !== 0) {
        const tail = await log.tail();
        const trouble = machineTrouble(tail);
        throw trouble === undefined
          ? packageFault(
              `dpkg-buildpackage ${describeEnd(built)}: ${explainingLine(tail)}`,
            )
          : ourFault(trouble);
      }
    });
    return await clock.time("collect", async () => {
      // A build may leave processes behind; what they would still change is not the result.
      const found = await session.run(
        ["find", buildPath, "-maxdepth", "1", "-type", "f", "-printf", "%f\\n"],
        { signal: limits.any },
      );
      const names = found.stdout.split("\n").filter((name) => name !== "");
      const wanted = names.filter((name) =>
        /^[A-Za-z0-9][A-Za-z0-9.+~_:-]*\.(?:deb|udeb|ddeb|buildinfo|changes)$/.test(
          name,
        ),
      );
      const copied = await session.run(
        [
          "cp",
          "--no-dereference",
          "--preserve=timestamps",
          "--",
          ...wanted.map((name) => `${buildPath}/${name}`),
          `${outInside}/`,
        ],
        { signal: limits.any },
      );
      if (copied.exitCode !== 0)
        throw wanted.length === 0
          ? packageFault("the build left no packages")
          : ourFault(`collecting: ${copied.stderr.trim()}`);
      return collectBuild(out, wanted, request);
    });
  } finally {
    await clock.time("session", () => session.close());
  }
}

/** What sbuild gives a build, too: no home, a plain locale. */
const buildEnv = {
  HOME: "/nonexistent",
  LC_ALL: "C.UTF-8",
  LOGNAME: "builder",
  USER: "builder",
};
