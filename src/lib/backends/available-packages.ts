import type { KnownPackages } from "../debian/package-index.ts";
import { lookUp, notePackage } from "../debian/package-index.ts";
import type { StatePaths } from "../host/paths.ts";
import { findBase } from "../session/find-layer.ts";
import { packageLists } from "../session/package-lists.ts";
import type { Archive } from "./archive/archive.ts";
import { publishedIn } from "./published.ts";

/** What is known of some names of packages. */
export interface AvailablePackages {
  readonly found: KnownPackages;
  /** Whether the distribution was asked: without a base and its lists nobody knows what it has. */
  readonly ofDistribution: boolean;
}

/**
 * Looks up names of binary packages in our archive, and in the lists that the newest base of the series
 * was made with. Nothing is fetched.
 */
export async function availablePackages(
  { layers }: Pick<StatePaths, "layers">,
  archive: Archive,
  series: string,
  names: ReadonlySet<string>,
): Promise<AvailablePackages> {
  const found: KnownPackages = new Map();
  if (await archive.exists()) {
    const { publications } = await archive.current();
    const published = publications[series];
    // The indexes alone say what a package provides; an archive of the tests has none.
    if (published !== undefined)
      for (const one of await publishedIn(await archive.repository(series)))
        notePackage(found, names, one.package, one.version, one.provides);
    for (const { kind, name, version } of published ?? [])
      if (kind === "binary" && !found.has(name))
        notePackage(found, names, name, version, "");
  }
  let ofDistribution = false;
  const base = await findBase(layers, series);
  if (base !== undefined)
    for await (const index of packageLists(base)) {
      ofDistribution = true;
      lookUp(index, names, found);
    }
  return { found, ofDistribution };
}
