import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describeEnd, exec, requireTools } from "../../host/exec.ts";
import { watchMachine } from "../../host/shortage.ts";
import { serveFolders } from "../../host/serve-folders.ts";
import type { Base } from "../../session/layer.ts";
import { requireBase } from "../../session/find-layer.ts";
import { perl } from "../../session/perl.ts";
import { aptVerdict } from "../apt-verdict.ts";
import type { TaskRun } from "../run-task.ts";
import { folderOf } from "../apt-repository.ts";
import { repositoryFiles, type RepositoryFiles } from "../repository-files.ts";
import { ourFault, packageFault } from "../verdict.ts";
import type { ProducedFile } from "../run-context.ts";
import { explainingLine } from "./build-log.ts";
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
  await writeFile(config, sbuildConf(apt, base.acquire));
  const machine = await watchMachine(work.scratch);
  say({ message: `sbuild of ${source} ${version}` });
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
        signal: limits.any,
        umask: "022",
        env: { SBUILD_CONFIG: config, TMPDIR: temporary },
      },
    ),
  );
  limits.any.throwIfAborted();
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
      : packageFault(`${what}: ${why}`);
  }
  return clock.time("collect", async () =>
    collectBuild(out, await readdir(out), request, limits.any),
  );
}

/**
 * sbuild's configuration, without its default mails and log folders. The base is left unchanged, so that
 * both builders start from the same. Our repositories are served over HTTP, since the users in sbuild's
 * namespace cannot enter their folders.
 */
function sbuildConf(
  { sources, preferences }: RepositoryFiles,
  acquire: string,
): string {
  const files = {
    "sources.list.d/ubuntu-ci.sources": sources,
    "preferences.d/ubuntu-ci": preferences,
    "apt.conf.d/ubuntu-ci": `${acquire}Acquire::http::Proxy::127.0.0.1 "DIRECT";\n`,
  };
  // sbuild expands percent signs in these and passes them to a shell.
  const commands = Object.entries(files).map(([file, text]) => {
    const encoded = Buffer.from(text).toString("base64");
    return `  ['echo ${encoded} | base64 --decode >/etc/apt/${file}'],\n`;
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
$external_commands = { 'chroot-setup-commands' => [
${commands.join("")}] };
1;
`;
}
