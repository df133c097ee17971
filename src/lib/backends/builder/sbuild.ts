import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { withoutEpoch } from "../../domain/debian/version.ts";
import { describeEnd, exec, requireTools } from "../../host/exec.ts";
import type { StatePaths } from "../../host/paths.ts";
import type { ServedFolders } from "../../host/serve-folders.ts";
import { serveFolders } from "../../host/serve-folders.ts";
import { requireBase } from "../../host/session/layers.ts";
import type { RepositoryFiles } from "../../host/session/session-apt.ts";
import { repositoryFiles } from "../../host/session/session-apt.ts";
import { aptVerdict } from "../apt-verdict.ts";
import {
  limitsOf,
  ourFault,
  packageFault,
  verdictOf,
  type Verdict,
} from "../verdict.ts";
import { stageClock, startHeartbeat, tailOf } from "../work-log.ts";
import type { ProducedFile } from "../work.ts";
import { explainingLine, machineTrouble } from "./build-log.ts";
import type { Builder } from "./builder.ts";
import { collectBuild } from "./collect.ts";
import { readSbuildSummary } from "./sbuild-summary.ts";
import { buildPath } from "./session.ts";

export interface SbuildOptions {
  readonly paths: StatePaths;
  readonly parallel: number;
  readonly timeoutMs: number;
}

/** A builder that does exactly what Debian's buildds do: sbuild, on the series' base tarball. */
export function createSbuildBuilder(options: SbuildOptions): Builder {
  return {
    name: "sbuild",
    async build(request, work) {
      const { source, version, series } = request;
      const clock = stageClock();
      const alive = startHeartbeat(work);
      alive.say({ state: "WAITING", message: `${source} ${version}` });
      const limits = limitsOf(work.signal, options.timeoutMs);
      const name = `${source}_${withoutEpoch(version)}.build.log`;
      const log = join(work.scratch, name);
      await writeFile(log, "");
      const out = join(work.scratch, "out");
      const temporary = join(work.scratch, "tmp");
      await mkdir(out);
      await mkdir(temporary);
      let base: string | null = null;
      let verdict: Verdict | undefined;
      let files: readonly ProducedFile[] = [];
      let served: ServedFolders | undefined;
      try {
        requireTools(["sbuild"]);
        const found = await requireBase(options.paths.layers, series, null);
        base = found.digest;
        served = await serveFolders(
          new Map(request.repositories.map(({ name, root }) => [name, root])),
        );
        const apt = await repositoryFiles(request.repositories, served.urlOf);
        const config = join(work.scratch, "sbuild.conf");
        await writeFile(config, sbuildConf(apt, found.acquire));
        alive.say({ message: `sbuild of ${source} ${version}` });
        const ended = await clock.time("compile", () =>
          exec(
            [
              // When we die, in whatever way, it is asked to end, and removes what it unpacked.
              ...["setpriv", "--pdeathsig", "TERM"],
              "sbuild",
              "--chroot-mode=unshare",
              `--chroot=${found.tarball}`,
              `--dist=${series}`,
              "--arch-all",
              "--arch-any",
              "--no-source",
              "--no-run-lintian",
              "--no-run-piuparts",
              "--no-run-autopkgtest",
              "--no-clean-source",
              "--verbose",
              `--jobs=${options.parallel}`,
              `--build-path=${buildPath}`,
              request.dsc,
            ],
            {
              cwd: out,
              logFile: log,
              signal: limits.any,
              env: { SBUILD_CONFIG: config, TMPDIR: temporary },
            },
          ),
        );
        limits.any.throwIfAborted();
        const tail = await tailOf(log);
        const summary = readSbuildSummary(tail, ended.exitCode);
        if (summary.outcome !== "passed") {
          const why =
            summary.stage === "install-deps"
              ? aptVerdict(tail).line
              : explainingLine(tail);
          const trouble = machineTrouble(tail);
          const reason = `sbuild ${describeEnd(ended)}, ${summary.status} at ${summary.stage ?? "no stage"}: ${trouble ?? why}`;
          throw summary.outcome === "failed" && trouble === undefined
            ? packageFault(reason)
            : ourFault(reason);
        }
        files = await clock.time("collect", async () =>
          collectBuild(out, await readdir(out), request),
        );
      } catch (thrown) {
        verdict = verdictOf(thrown, limits);
      } finally {
        alive.stop();
        await served?.close();
      }
      const outcome = verdict?.outcome ?? "passed";
      const reason = verdict?.message ?? null;
      work.progress({
        state: outcome === "passed" ? "COMPLETED" : "FAILED",
        message: reason ?? `${source} ${version} is built`,
        current: null,
        total: null,
      });
      return {
        outcome,
        reason,
        files,
        log: { name, path: log },
        base,
        stages: clock.stages,
      };
    },
  };
}

/**
 * sbuild's configuration: its default one would mail, and keep logs elsewhere. The base stays as it
 * is, so that both builders start from the same. apt inside is told of our repositories, whose
 * folders the users of sbuild's namespace may not enter, by address.
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
  // sbuild gives them to a shell, after it has replaced what follows a percent sign.
  const commands = Object.entries(files).map(([file, text]) => {
    const encoded = Buffer.from(text).toString("base64");
    return `  ['echo ${encoded} | base64 --decode >/etc/apt/${file}'],\n`;
  });
  return `$build_environment = {};
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
