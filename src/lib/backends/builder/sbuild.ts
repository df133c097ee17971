import { lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import {
  describeEnd,
  exec,
  requireTools,
  type ExecOptions,
} from "../../host/exec.ts";
import { watchMachine } from "../../host/shortage.ts";
import { serveFolders } from "../../host/serve-folders.ts";
import type { Base } from "../../session/layer.ts";
import { requireBase } from "../../session/find-layer.ts";
import { limitWords } from "../../session/limits.ts";
import { filesOf, perl } from "../../session/perl.ts";
import { LimitExceeded, type EndingLimit } from "../../session/resources.ts";
import { makeSubordinateFolder } from "../../session/subordinate-folder.ts";
import { removeTree } from "../../session/remove-tree.ts";
import { watchDisk } from "../../session/watch-disk.ts";
import { watchMemory } from "../../session/watch-memory.ts";
import { aptVerdict } from "../apt-verdict.ts";
import type { TaskRun } from "../run-task.ts";
import { folderOf } from "../apt-repository.ts";
import { repositoryFiles, type RepositoryFiles } from "../repository-files.ts";
import { ourFault, packageFault } from "../verdict.ts";
import type { ProducedFile } from "../run-context.ts";
import { buildFault, explainingLine } from "./build-log.ts";
import {
  locale,
  runBuild,
  UnmetDependencies,
  type BuilderOptions,
} from "./build-task.ts";
import type { Builder, BuildRequest } from "./builder.ts";
import { collectBuild } from "./collect.ts";
import { readSbuildSummary } from "./sbuild-summary.ts";
import { buildPath } from "./session.ts";

/** A builder that runs sbuild, as Debian's buildds do, on the series' base tarball. */
export function createSbuildBuilder(options: BuilderOptions): Builder {
  return {
    build: (request, work) =>
      runBuild("sbuild", request, work, options.timeoutMs, async (run) => {
        requireTools(["sbuild"]);
        const { series, repositories } = request;
        const base = await requireBase(options.paths.layers, series, null);
        run.startFrom(base);
        const served = await serveFolders(
          new Map(repositories.map((one) => [one.name, folderOf(one)])),
        );
        try {
          const apt = await repositoryFiles(repositories, ({ name }) =>
            served.urlOf(name),
          );
          return await runSbuild(options, request, run, base, apt);
        } finally {
          await served.close();
        }
      }),
  };
}

async function runSbuild(
  options: BuilderOptions,
  request: BuildRequest,
  run: TaskRun,
  base: Base,
  apt: RepositoryFiles,
): Promise<readonly ProducedFile[]> {
  const { scratch } = run.work;
  const unpacked = await makeSubordinateFolder(scratch, "ubuntu-ci-sbuild");
  try {
    return await buildIn(unpacked, options, request, run, base, apt);
  } finally {
    await removeTree(unpacked);
  }
}

/** @param unpacked folder in which sbuild unpacks its chroot */
async function buildIn(
  unpacked: string,
  options: BuilderOptions,
  request: BuildRequest,
  { work, clock, limits, log, say }: TaskRun,
  base: Base,
  apt: RepositoryFiles,
): Promise<readonly ProducedFile[]> {
  const { source, version, series } = request;
  const out = join(work.scratch, "out");
  const temporary = join(work.scratch, "tmp");
  await mkdir(out);
  await mkdir(temporary);
  const config = join(work.scratch, "sbuild.conf");
  await writeFile(
    config,
    await sbuildConf(options, apt, base.acquire, unpacked),
  );
  const machine = await watchMachine(work.scratch);
  say({ message: `sbuild of ${source} ${version}` });
  const watched = await watchResources(options, unpacked);
  const ended = await clock.time("compile", () =>
    exec(
      [
        // sbuild is asked to end when this process dies, and removes what it unpacked.
        ...["setpriv", "--pdeathsig", "TERM"],
        ...perl("shed"),
        "sbuild",
        "--chroot-mode=unshare",
        `--chroot=${base.tarball}`,
        `--dist=${series}`,
        ...["--arch-all", "--arch-any", "--no-source", "--no-run-lintian"],
        ...["--no-run-piuparts", "--no-run-autopkgtest", "--no-clean-source"],
        "--verbose",
        `--jobs=${options.parallel}`,
        `--build-path=${buildPath}`,
        request.dsc,
      ],
      {
        cwd: out,
        logFile: log.path,
        ...watched.options,
        signal: AbortSignal.any([limits.any, watched.signal]),
        umask: "022",
        env: { SBUILD_CONFIG: config, TMPDIR: temporary },
      },
    ).finally(watched.stop),
  );
  limits.any.throwIfAborted();
  watched.signal.throwIfAborted();
  const tail = await log.tail();
  const summary = readSbuildSummary(tail, ended.exitCode);
  if (summary.outcome !== "passed") {
    const why =
      summary.stage === "install-deps"
        ? aptVerdict(tail).line
        : explainingLine(tail);
    const what = `sbuild ${describeEnd(ended)}, ${summary.status} at ${summary.stage ?? "no stage"}`;
    const shortage = await machine.shortage();
    if (summary.outcome !== "failed" || shortage !== undefined)
      throw ourFault(`${what}: ${shortage ?? why}`);
    throw summary.stage === "install-deps"
      ? new UnmetDependencies(`${what}: ${why}`)
      : buildFault(what, tail, undefined);
  }
  const mebibytes = options.resources?.resultsMiB ?? Infinity;
  if ((await sizeOf(out)) > mebibytes * 1024 ** 2)
    throw packageFault(
      `the build left more than ${mebibytes} MiB (limits.resultsMiB)`,
    );
  return clock.time("collect", async () =>
    collectBuild(out, await readdir(out), request, limits.any),
  );
}

/** Watches what a build uses as a whole; `signal` tells that a limit was exceeded. */
async function watchResources(
  { resources }: BuilderOptions,
  folder: string,
): Promise<{
  readonly signal: AbortSignal;
  readonly options: Pick<ExecOptions, "logLimit" | "started">;
  readonly stop: () => void;
}> {
  const ended = new AbortController();
  const { signal } = ended;
  if (resources === undefined)
    return { signal, options: {}, stop: () => undefined };
  const exceed = (which: EndingLimit) => () =>
    ended.abort(new LimitExceeded(which, resources));
  const disk = await watchDisk(folder, resources.diskMiB, exceed("diskMiB"));
  let memory: ReturnType<typeof watchMemory> | undefined;
  return {
    signal,
    options: {
      logLimit: {
        bytes: resources.logMiB * 1024 ** 2,
        reached: exceed("logMiB"),
      },
      started(pid) {
        const most = resources.memoryMiB;
        memory = watchMemory(pid, most, exceed("memoryMiB"));
      },
    },
    stop() {
      disk.stop();
      memory?.stop();
    },
  };
}

/** Bytes of the files of a folder. */
async function sizeOf(folder: string): Promise<number> {
  const sizes = (await readdir(folder)).map(
    async (name) => (await lstat(join(folder, name))).size,
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Where our scripts lie in sbuild's chroot. */
const inside = "/usr/lib/ubuntu-ci";

/**
 * The command, in sbuild's chroot, that dpkg-buildpackage runs under, and the scripts it needs: limits on
 * what each process uses, and output that can be opened again by its name in /dev.
 */
async function buildCommand({ resources }: BuilderOptions): Promise<{
  readonly command: string;
  readonly files: Readonly<Record<string, string>>;
}> {
  const command = `${inside}/build`;
  const own = await readFile("/proc/self/limits", "utf8");
  const processes = resources?.processes;
  const limits = [
    ...limitWords(own, resources),
    ...(processes === undefined
      ? []
      : ["limit", `6:${processes}:${processes}`]),
  ];
  const words = [...perl("supervise", inside), ...limits].join(" ");
  const scripts = Object.entries(await filesOf("supervise")).map(
    ([name, text]) => [`${inside}/${name}`, text] as const,
  );
  return {
    command,
    files: {
      ...Object.fromEntries(scripts),
      [command]: `#!/bin/sh\nexec ${words} folder "$PWD" -- "$@"\n`,
    },
  };
}

/**
 * sbuild's configuration, without its default mails and log folders. The base is left unchanged, so that
 * both builders start from the same. Our repositories are served over HTTP, since the users in sbuild's
 * namespace cannot enter their folders.
 */
async function sbuildConf(
  options: BuilderOptions,
  { sources, preferences }: RepositoryFiles,
  acquire: string,
  unpacked: string,
): Promise<string> {
  const build = await buildCommand(options);
  const files = {
    "/etc/apt/sources.list.d/ubuntu-ci.sources": sources,
    "/etc/apt/preferences.d/ubuntu-ci": preferences,
    "/etc/apt/apt.conf.d/ubuntu-ci": `${acquire}Acquire::http::Proxy::127.0.0.1 "DIRECT";\n`,
    ...build.files,
  };
  // sbuild expands percent signs in these and passes them to a shell.
  const commands = Object.entries(files).map(([file, text]) => {
    const encoded = Buffer.from(text).toString("base64");
    return `  ['echo ${encoded} | base64 --decode >${file}'],\n`;
  });
  const environment = Object.entries(locale).map(
    ([name, value]) => `${name} => '${value}'`,
  );
  return `$build_environment = { ${environment.join(", ")} };
$log_colour = 0;
$purge_build_directory = 'always';
$purge_build_deps = 'never';
$stats_dir = undef;
$apt_distupgrade = 0;
$unshare_tmpdir_template = '${unpacked}/chroot.XXXXXXXXXX';
$build_env_cmnd = '${build.command}';
$external_commands = { 'chroot-setup-commands' => [
  ['mkdir ${inside}'],
${commands.join("")}  ['chmod 755 ${build.command}'],
] };
1;
`;
}
