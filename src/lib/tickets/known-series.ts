import { readdirSync } from "node:fs";

import { imagerOf } from "../backends/kinds.ts";
import type { Config } from "../config/config.ts";
import { ifExistsSync } from "../files/optional-file.ts";
import type { StatePaths } from "../host/paths.ts";

/** Series that `init` made a base for; with an imager that needs none, those of the configuration. */
export function knownSeries(paths: StatePaths, config: Config): string[] {
  const names = ifExistsSync(() => readdirSync(paths.layers)) ?? [];
  const series = names.flatMap(
    (name) => /^base-(.+)-[0-9a-f]{12}$/.exec(name)?.[1] ?? [],
  );
  const configured = imagerOf(config).needsBase
    ? []
    : (config.get("series") ?? []);
  return [...new Set([...series, ...configured])].sort();
}
