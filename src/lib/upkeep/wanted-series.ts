import { readFileSync } from "node:fs";

import type { Config } from "../config/config.ts";

/** The series to have bases of: the configured ones, else this machine's own; empty when it has none. */
export function wantedSeries(config: Config): readonly string[] {
  const configured = config.get("series") ?? [];
  if (configured.length > 0) return configured;
  const release = readFileSync("/etc/os-release", "utf8");
  const own = /^VERSION_CODENAME="?([a-z0-9.-]+)"?$/m.exec(release)?.[1];
  return own === undefined ? [] : [own];
}
