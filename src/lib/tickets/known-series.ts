import { readdirSync } from "node:fs";
import { join } from "node:path";

import { imagerOf } from "../backends/kinds.ts";
import type { Config } from "../config/config.ts";
import { seriesOfStable } from "../domain/promotion.ts";
import { ifExistsSync } from "../files/optional-file.ts";
import type { StatePaths } from "../host/paths.ts";

/**
 * Series that `init` made a base for, and those of the archive, whose bases may be gone; with an imager
 * that needs none, those of the configuration as well.
 */
export function knownSeries(paths: StatePaths, config: Config): string[] {
  const names = ifExistsSync(() => readdirSync(paths.layers)) ?? [];
  const series = names.flatMap(
    (name) => /^base-(.+)-[0-9a-f]{12}$/.exec(name)?.[1] ?? [],
  );
  const published =
    ifExistsSync(() => readdirSync(join(paths.archive, "dists"))) ?? [];
  const configured = imagerOf(config).needsBase
    ? []
    : (config.get("series") ?? []);
  const all = new Set([...series, ...published, ...configured]);
  return [...all].filter((name) => !all.has(seriesOfStable(name) ?? "")).sort();
}
