import { existsSync } from "node:fs";
import { join } from "node:path";

import { chosenKinds } from "../../backends/kinds.ts";
import type { Config } from "../../config/config.ts";
import { findTool, missingTool } from "../../host/exec.ts";
import { programRoot } from "../../host/paths.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { bad, ok } from "./diagnosis.ts";

/** Whether each tool is installed that the configured backends run. */
export function toolFindings(config: Config): Diagnosis[] {
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
  // What `upgrade` takes new code with.
  if (existsSync(join(programRoot, ".git"))) tools.push("git", "npm");
  return [...new Set(tools)];
}
