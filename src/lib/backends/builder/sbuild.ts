import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { withoutEpoch } from "../../domain/debian/version.ts";
import { describeEnd, exec } from "../../host/exec.ts";
import type { StatePaths } from "../../host/paths.ts";
import { requireBase } from "../../host/session/layers.ts";
import type { AptRepository } from "../apt-repository.ts";
import { aptVerdict } from "../apt-verdict.ts";
import { publishedIn } from "../published.ts";
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
      try {
        const found = await requireBase(options.paths.layers, series, null);
        base = found.digest;
        // sbuild's default configuration would mail, and keep logs elsewhere.
        const config = join(work.scratch, "sbuild.conf");
        await writeFile(config, sbuildConf);
        const extra = await clock.time("build-deps", () =>
          ownPackages(request.repositories),
        );
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
              ...extra.map((deb) => `--extra-package=${deb}`),
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

/** The .debs that our repositories hold at present; sbuild makes an archive of them inside. */
async function ownPackages(
  repositories: readonly AptRepository[],
): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const repository of repositories)
    for (const { filename } of await publishedIn(repository))
      paths.push(join(repository.root, filename));
  return paths;
}

const sbuildConf = `$build_environment = {};
$log_colour = 0;
$purge_build_directory = 'always';
$purge_build_deps = 'never';
$stats_dir = undef;
1;
`;
