import { accessSync, constants, existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";

import { chosenKinds, needsBases } from "../../backends/kinds.ts";
import type { Config } from "../../config/config.ts";
import { diskFindings } from "./disk.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { bad, badBecause, ok } from "./diagnosis.ts";
import { kernelFindings } from "./kernel.ts";
import { wantedSeries } from "../wanted-series.ts";
import { mirrorFindings } from "./mirror.ts";
import { ifExists } from "../../files/optional-file.ts";
import { findTool, missingTool } from "../../host/exec.ts";
import type { StatePaths } from "../../host/paths.ts";
import { programRoot } from "../../host/paths.ts";
import { listLayers } from "../../session/find-layer.ts";
import { remedy } from "../../domain/remedy.ts";

/** Examines whether this machine can run every step. */
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
  const text = (await ifExists(readFile(file, "utf8"))) ?? "";
  return subidFinding(file, text, { name: username, uid });
}

const neededIds = 65536;

/**
 * Whether a user has a range of subordinate ids that is large enough for a system (subuid(5)).
 *
 * @param text contents of the file; empty when it is not there
 */
export function subidFinding(
  file: "/etc/subuid" | "/etc/subgid",
  text: string,
  user: { readonly name: string; readonly uid: number },
): Diagnosis {
  const ranges = text
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => fields.length === 3)
    .map(([owner = "", start, count]) => ({
      owner,
      start: Number(start),
      count: Number(count),
    }));
  const mine = ranges.filter(
    ({ owner }) => owner === user.name || owner === String(user.uid),
  );
  const enough = mine.find(({ count }) => count >= neededIds);
  if (enough !== undefined)
    return ok(file, `${enough.count} ids from ${enough.start} on`);
  const end = Math.max(
    100_000,
    ...ranges.map(({ start, count }) => start + count).filter(Number.isFinite),
  );
  const option = file === "/etc/subgid" ? "--add-subgids" : "--add-subuids";
  return bad(
    file,
    mine.length === 0
      ? `${user.name} has no subordinate ids`
      : `${user.name} has no range of ${neededIds} subordinate ids`,
    `as root: usermod ${option} ${end}-${end + neededIds - 1} ${user.name}`,
  );
}

/** Whether each tool is installed that the configured backends run. */
function toolFindings(config: Config): Diagnosis[] {
  return toolsFor(config).map((name) => {
    const path = findTool(name);
    return path === undefined
      ? bad(name, "is not installed", missingTool(name).hint ?? "")
      : ok(name, path);
  });
}

function toolsFor(config: Config): string[] {
  const tools = ["gpg", "gpgv", "gpgconf", "apt-get", "apt-config", "dpkg"];
  tools.push("dpkg-source", "dpkg-deb", "tar", "xz", "zstd", "setpriv");
  tools.push(...chosenKinds(config).flatMap((kind) => kind.tools));
  if (config.get("report.rsyncTarget") !== null) tools.push("rsync");
  // For `upgrade`.
  if (existsSync(join(programRoot, ".git"))) tools.push("git", "npm");
  return [...new Set(tools)];
}

/** Whether sessions can have a network: pasta needs this device. */
export function networkFinding(device = "/dev/net/tun"): Diagnosis {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return ok("network", `${device} may be used`);
  } catch {
    return bad(
      "network",
      `${device} may not be used: sessions have no network`,
      `as root: modprobe tun; chmod 0666 ${device}`,
    );
  }
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
