import { withoutEpoch } from "../../debian/version.ts";
import type { StatePaths } from "../../host/paths.ts";
import type { Resources } from "../../session/resources.ts";
import type { ProducedFile, RunContext } from "../run-context.ts";
import { runTask, type TaskRun } from "../run-task.ts";
import { Verdict } from "../verdict.ts";
import type { BuildRequest, BuildResult } from "./builder.ts";

export interface BuilderOptions {
  readonly paths: StatePaths;
  /** Parallel jobs of a build (`DEB_BUILD_OPTIONS=parallel=N`). */
  readonly parallel: number;
  /** Time limit of one build. */
  readonly timeoutMs: number;
  /** What one session may use; without it nothing but the machine sets limits. */
  readonly resources?: Resources;
}

/** The verdict that apt cannot install the build dependencies. */
export class UnmetDependencies extends Verdict {
  override readonly name = "UnmetDependencies";

  constructor(reason: string) {
    super("failed", reason);
  }
}

/** The locale of builds, as the .buildinfo of a buildd records it. */
export const locale = {
  LANG: "C.UTF-8",
  LC_ALL: "C.UTF-8",
  LC_COLLATE: "C.UTF-8",
} as const;

/** Runs the stages of a build, which return its files, as a task that all builders name alike. */
export async function runBuild(
  builder: string,
  { source, version, series }: BuildRequest,
  work: RunContext,
  timeoutMs: number,
  stages: (run: TaskRun) => Promise<readonly ProducedFile[]>,
): Promise<BuildResult> {
  const subject = `${source} ${version}`;
  const log = {
    name: `${source}_${withoutEpoch(version)}.build.log`,
    title: `Build of ${subject} for ${series}`,
    facts: { builder },
  };
  const task = { subject, done: `${subject} is built`, log, timeoutMs };
  const unmet: unknown[] = [];
  const { value, ...ended } = await runTask(work, task, async (run) => {
    try {
      return await stages(run);
    } catch (thrown) {
      if (thrown instanceof UnmetDependencies) unmet.push(thrown);
      throw thrown;
    }
  });
  const result = { ...ended, files: value ?? [] };
  return unmet.length > 0 && result.outcome === "failed"
    ? { ...result, unmet: true }
    : result;
}
