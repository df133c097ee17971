import { archiveOf } from "../backends/kinds.ts";
import { availablePackages } from "../backends/available-packages.ts";
import { packageName } from "../debian/control-file.ts";
import type { Problem } from "../domain/error.ts";
import { findBase, findLayer, listLayers } from "../session/find-layer.ts";
import type { LocalState } from "./local-state.ts";

/** What a ticket says of its image. */
export interface ImageWishes {
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly baseImage: string | null;
}

/**
 * Reports what an image cannot be made of: packages that nobody has, names that stand for several, and
 * unknown bases. Whether the distribution has a package is decided by the lists of the series' newest
 * base, without the network. Where there are none, any name may be one of its packages.
 *
 * @param series null when the uploads do not tell
 * @param own the binary packages that the ticket builds
 */
export async function checkImageWishes(
  { paths, config }: Pick<LocalState, "paths" | "config">,
  { add, remove, baseImage }: ImageWishes,
  series: string | null,
  own: readonly string[],
  problems: Problem[],
): Promise<void> {
  for (const name of new Set(add))
    if (remove.includes(name))
      problems.push({
        where: "--add",
        message: `${name} is named by --remove too`,
      });
  if (baseImage !== null)
    await checkBase(paths.layers, baseImage, series, problems);
  const foreign = new Set(
    [...add, ...remove].filter(
      (name) => packageName.test(name) && !own.includes(name),
    ),
  );
  if (series === null || foreign.size === 0) return;
  const archive = await archiveOf(config).open(paths, config);
  const { found, ofDistribution } = await availablePackages(
    paths,
    archive,
    series,
    foreign,
  );
  for (const [where, names] of [
    ["--add", add],
    ["--remove", remove],
  ] as const)
    for (const name of new Set(names)) {
      if (!foreign.has(name)) continue;
      const known = found.get(name);
      if (known === undefined) {
        if (ofDistribution)
          problems.push({
            where,
            message: `${name} is a package of neither this ticket, nor the archive, nor ${series}`,
          });
        continue;
      }
      const providers = new Set(known.providers.map((one) => one.package));
      if (known.versions.length === 0 && providers.size > 1)
        problems.push({
          where,
          message: `${name} is provided by several packages: name one of ${[...providers].sort().slice(0, mostProviders).join(", ")}`,
        });
    }
}

/** Of more providers, the rest is not named. */
const mostProviders = 20;

async function checkBase(
  layers: string,
  name: string,
  series: string | null,
  problems: Problem[],
): Promise<void> {
  const found = /^[A-Za-z0-9][A-Za-z0-9+.~_-]*$/.test(name)
    ? await findLayer(layers, name)
    : undefined;
  if (found?.kind === "base" && found.series === (series ?? found.series))
    return;
  const bases = await listLayers(layers, "base");
  const newest = series === null ? undefined : await findBase(layers, series);
  const names = bases
    .filter((base) => base.series === (series ?? base.series))
    .map((base) =>
      base.name === newest?.name ? `${base.name} (newest)` : base.name,
    );
  const what =
    found?.kind === "base"
      ? `${name} is a base of ${found.series}, not of ${series ?? ""}`
      : `there is no base ${JSON.stringify(name)}`;
  problems.push({
    where: "--base-image",
    message: `${what}; ${names.length === 0 ? "there is none to name" : `there are ${names.join(", ")}`}`,
  });
}
