import { utimes } from "node:fs/promises";
import { join } from "node:path";

import { misconfigured, needsRepair } from "../domain/error.ts";
import { advice, remedy } from "../domain/remedy.ts";
import { namesIn } from "../files/names-in.ts";
import { childPath } from "../host/paths.ts";
import type { Base, Layer, LayerKind } from "./layer.ts";
import { makeUsable } from "./make-layer.ts";
import { readLayer } from "./read-layer.ts";

/** A layer by its name; undefined when it is not there, or not whole. */
export async function findLayer(
  folder: string,
  name: string,
): Promise<Layer | undefined> {
  return readLayer(folder, name);
}

/** Marks a layer as just used: retention goes by the modification time of its record. */
export async function touchLayer(folder: string, name: string): Promise<void> {
  const time = Date.now() / 1000;
  await utimes(join(childPath(folder, name), "layer.json"), time, time);
}

/** All layers of a kind. */
export async function listLayers(
  folder: string,
  kind: LayerKind,
): Promise<Layer[]> {
  const names = (await namesIn(folder)).filter((name) =>
    name.startsWith(`${kind}-`),
  );
  const found = await Promise.all(names.map((name) => findLayer(folder, name)));
  return found.flatMap((layer) => layer ?? []);
}

/** The newest base of a series, or undefined. */
export async function findBase(
  folder: string,
  series: string,
): Promise<Base | undefined> {
  const bases = (await listLayers(folder, "base")).filter(
    (layer) => layer.series === series,
  );
  const newest = bases
    .sort((a, b) => a.created_at.localeCompare(b.created_at))
    .at(-1);
  return newest === undefined ? undefined : asBase(folder, newest);
}

/**
 * The base of that name, else the newest of the series.
 *
 * @throws UbuntuCiError (78) when there is none
 */
export async function requireBase(
  folder: string,
  series: string,
  name: string | null,
): Promise<Base> {
  const layer =
    name === null
      ? await findBase(folder, series)
      : await findLayer(folder, name);
  if (layer?.kind !== "base") {
    if (name !== null)
      throw needsRepair(
        `there is no base ${name} any more`,
        advice`take it from a backup (${remedy("restore", ["FILE"])}), or create the ticket anew without --base-image`,
      );
    throw misconfigured(
      `there is no base of ${series}`,
      remedy("init", [], { series }),
    );
  }
  await makeUsable(folder, layer);
  return asBase(folder, layer);
}

function asBase(folder: string, layer: Layer): Base {
  return {
    ...(layer as Base),
    kind: "base",
    tarball: join(folder, layer.name, "base.tar.zst"),
  };
}
