import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";

import { needsBases } from "../../backends/kinds.ts";
import type { Config } from "../../config/config.ts";
import { diskFindings } from "./disk.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { bad, badBecause, ok } from "./diagnosis.ts";
import { kernelFindings } from "./kernel.ts";
import { mirrorFindings, wantedSeries } from "./mirror.ts";
import { networkFinding } from "./network.ts";
import { subidFinding } from "./subids.ts";
import { toolFindings } from "./tools.ts";
import { ifExists } from "../../files/optional-file.ts";
import type { StatePaths } from "../../host/paths.ts";
import { listLayers } from "../../session/find-layer.ts";
import { remedy } from "../../domain/remedy.ts";

/** Looks whether this machine can do each step. */
export async function diagnose(
  paths: StatePaths,
  config: Config,
): Promise<Diagnosis[]> {
  const disk = await diskFindings(paths);
  return [
    notRoot(),
    await subids("/etc/subuid"),
    await subids("/etc/subgid"),
    ...toolFindings(config),
    ...disk,
    ...(await kernelFindings(paths.scratch)),
    networkFinding(),
    ...(await mirrorFindings(config, paths.scratch)),
    await bases(paths, config),
  ];
}

function notRoot(): Diagnosis {
  const { username, uid } = userInfo();
  return uid === 0
    ? bad(
        "user",
        "root: sessions are not opened with privileges",
        "run it as a plain user; maintenance/quickstart makes one",
      )
    : ok("user", username);
}

async function subids(file: "/etc/subuid" | "/etc/subgid"): Promise<Diagnosis> {
  const { username, uid } = userInfo();
  const text = (await ifExists(readFile(file, "utf8"))) ?? ""; // nobody has any
  return subidFinding(file, text, { name: username, uid });
}

async function bases(paths: StatePaths, config: Config): Promise<Diagnosis> {
  if (!needsBases(config))
    return ok("bases", "the configured backends need none");
  try {
    const layers = await listLayers(paths.layers, "base");
    const missing = wantedSeries(config).filter(
      (name) => !layers.some(({ series }) => series === name),
    );
    return missing.length > 0
      ? bad("bases", `there is none of ${missing.join(", ")}`, remedy("init"))
      : ok("bases", layers.map(({ name }) => name).join(", "));
  } catch (thrown) {
    return badBecause("bases", thrown, remedy("init"));
  }
}
