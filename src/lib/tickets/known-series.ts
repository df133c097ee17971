import { readdirSync } from "node:fs";

import type { Config } from "../config/config.ts";
import { ifExistsSync } from "../files/optional-file.ts";
import type { StatePaths } from "../host/paths.ts";

/** Series that have a base; with the fake imager, which needs none, those of the configuration. */
export function knownSeries(paths: StatePaths, config: Config): string[] {
  const names = ifExistsSync(() => readdirSync(paths.layers)) ?? [];
  const series = names.flatMap(
    (name) => /^base-(.+)-[0-9a-f]{12}$/.exec(name)?.[1] ?? [],
  );
  const configured =
    config.get("imager") === "fake" ? (config.get("series") ?? []) : [];
  return [...new Set([...series, ...configured])].sort();
}
