import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";

import type { Config } from "./config.ts";
import { diskFindings } from "./doctor/disk.ts";
import type { Finding } from "./doctor/finding.ts";
import { bad, badBecause, ok } from "./doctor/finding.ts";
import { kernelFindings } from "./doctor/kernel.ts";
import { mirrorFindings, wantedSeries } from "./doctor/mirror.ts";
import { subidFinding } from "./doctor/subids.ts";
import { toolFindings } from "./doctor/tools.ts";
import { ifThere } from "./if-there.ts";
import type { StatePaths } from "./paths.ts";
import { listLayers } from "./session/layers.ts";

/** Looks whether this machine can do each step. */
export async function diagnose(
  paths: StatePaths,
  config: Config,
): Promise<Finding[]> {
  const disk = await diskFindings(paths);
  return [
    notRoot(),
    await subids("/etc/subuid"),
    await subids("/etc/subgid"),
    ...toolFindings(config),
    ...disk,
    ...(await kernelFindings(paths.scratch)),
    ...(await mirrorFindings(config, paths.scratch)),
    await bases(paths, config),
  ];
}

function notRoot(): Finding {
  const { username, uid } = userInfo();
  return uid === 0
    ? bad(
        "user",
        "root: sessions are not opened with privileges",
        "run it as a plain user; maintenance/quickstart makes one",
      )
    : ok("user", username);
}

async function subids(file: "/etc/subuid" | "/etc/subgid"): Promise<Finding> {
  const { username, uid } = userInfo();
  const text = (await ifThere(readFile(file, "utf8"))) ?? ""; // nobody has any
  return subidFinding(file, text, { name: username, uid });
}

async function bases(paths: StatePaths, config: Config): Promise<Finding> {
  if (config.get("imager") === "fake" && config.get("builder") === "fake")
    return ok("bases", "fake backends need none");
  try {
    const layers = await listLayers(paths.layers, "base");
    const missing = wantedSeries(config).filter(
      (name) => !layers.some(({ series }) => series === name),
    );
    return missing.length > 0
      ? bad("bases", `there is none of ${missing.join(", ")}`, "ubuntu-ci init")
      : ok("bases", layers.map(({ name }) => name).join(", "));
  } catch (thrown) {
    return badBecause("bases", thrown, "ubuntu-ci init");
  }
}
