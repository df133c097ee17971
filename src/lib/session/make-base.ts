import {
  chmod,
  copyFile,
  mkdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";

import { misconfigured, notNow } from "../domain/error.ts";
import { digestFile } from "../files/atomic-file.ts";
import { machineArchitecture } from "../host/architecture.ts";
import { now } from "../host/clock.ts";
import type { Config } from "../config/config.ts";
import { describeEnd, exec, lastLines, requireTools } from "../host/exec.ts";
import { mirrorOf } from "./mirror.ts";
import { privateFile, publicFile } from "../files/modes.ts";
import { hasCode } from "../files/optional-file.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Base } from "./layer.ts";
import { findLayer, requireBase } from "./find-layer.ts";
import { commitLayer, layerInProgress, unpackRoot } from "./make-layer.ts";
import { removeTree } from "./remove-tree.ts";
import { makeSubordinateFolder } from "./subordinate-folder.ts";

/** Added to the buildd variant: what builds without root need, and what autopkgtest would install every time. */
const packages = ["fakeroot", "ca-certificates"];

/**
 * Makes a base of a series with mmdebstrap: a tarball (for sbuild; its digest names the base), unpacked
 * also under the sessions' id mapping. An existing base with that digest is kept.
 *
 * @throws UbuntuCiError (75) when the mirror cannot be reached, (78) when none is known
 */
export async function makeBase(
  paths: StatePaths,
  series: string,
  config: Config,
): Promise<Base> {
  if (process.geteuid?.() === 0) {
    throw misconfigured(
      "bases are not made as root",
      "run the command as the user who owns the state folder",
    );
  }
  requireTools(["mmdebstrap", "newuidmap", "newgidmap", "zstd"]);
  const mirror = await mirrorOf(series, config);
  await mkdir(paths.scratch, { recursive: true });
  const scratch = await makeSubordinateFolder(paths.scratch, "ubuntu-ci-base");
  const progress = await layerInProgress(paths.layers);
  try {
    const sources = join(scratch, "distribution.sources");
    const tarball = join(scratch, "base.tar.zst");
    await writeFile(sources, mirror.sources);
    await chmod(sources, publicFile);
    const made = await exec(
      [
        ...["mmdebstrap", "--mode=unshare", "--variant=buildd", "--format=tar"],
        `--include=${[...packages, ...mirror.keyringPackages].join(",")}`,
        ...mirror.acquire
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => `--aptopt=${line}`),
        // Resolving dependencies needs the package lists; they are left out of images.
        "--skip=cleanup/apt/lists",
        '--customize-hook=chroot "$1" useradd --uid 1000 --create-home --shell /bin/bash builder',
        '--customize-hook=rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap',
        // mmdebstrap copies these from this machine; sessions and sbuild provide their own.
        '--customize-hook=rm -f "$1"/etc/hostname "$1"/etc/resolv.conf',
        ...[series, tarball, sources],
      ],
      {
        cwd: scratch,
        umask: "022",
        env: { SOURCE_DATE_EPOCH: "0", TMPDIR: scratch },
        logFile: join(scratch, "mmdebstrap.log"),
      },
    );
    if (made.exitCode !== 0) {
      const log = await readFile(join(scratch, "mmdebstrap.log"), "utf8");
      throw notNow(
        `mmdebstrap ${describeEnd(made)}: ${messages(log)}`,
        "see whether the mirror can be reached, then run it again",
      );
    }
    const { sha256 } = await digestFile(tarball);
    const name = `base-${series}-${sha256.slice(0, 12)}`;
    if ((await findLayer(paths.layers, name)) === undefined) {
      await unpackRoot(tarball, join(progress, "root"), "--zstd");
      await move(tarball, join(progress, "base.tar.zst"));
      await chmod(join(progress, "base.tar.zst"), privateFile);
      await commitLayer(paths.layers, progress, {
        name,
        kind: "base",
        digest: `sha256:${sha256}`,
        below: [],
        series,
        architecture: machineArchitecture(),
        created_at: now(),
        sources: mirror.sources,
        acquire: mirror.acquire,
      });
    }
    return await requireBase(paths.layers, series, name);
  } finally {
    await removeTree(progress);
    await rm(scratch, { recursive: true, force: true }).catch(() =>
      removeTree(scratch),
    );
  }
}

/** Errors and warnings of apt and mmdebstrap; mmdebstrap's last line only says that it failed. */
function messages(log: string): string {
  const errors = log
    .split("\n")
    .filter(
      (line) => line.startsWith("E: ") && !line.includes("failed to run"),
    );
  return lastLines(errors.length === 0 ? log : errors.join("\n"));
}

/** Moves a file, also to another disk. */
async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (thrown) {
    if (!hasCode(thrown, "EXDEV")) throw thrown;
    await copyFile(from, to);
  }
}
