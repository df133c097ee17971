import { rename } from "node:fs/promises";
import { join } from "node:path";

import { crashPoint } from "../files/crash-point.ts";
import { namesIn } from "../files/names-in.ts";
import { ifExists } from "../files/optional-file.ts";
import { isAbandoned, makeOwnFolder } from "../files/own-folder.ts";
import type { Layer } from "./layer.ts";
import { findLayer } from "./find-layer.ts";
import { removeTree } from "./remove-tree.ts";

/** Folders of layers that a killed process was creating or removing; `.old` ones can always be deleted. */
export async function abandonedLayers(layers: string): Promise<string[]> {
  const names = await namesIn(layers);
  return names.filter(
    (name) => /^\.(?:new|old)\./.test(name) && isAbandoned(name) === true,
  );
}

/** The complete layers, and the names of those without their record or their files. */
export async function surveyLayers(
  layers: string,
): Promise<{ readonly whole: Layer[]; readonly broken: string[] }> {
  const whole: Layer[] = [];
  const broken: string[] = [];
  for (const name of await namesIn(layers)) {
    if (name.startsWith(".")) continue;
    const parts = await namesIn(join(layers, name));
    const needed = name.startsWith("base-")
      ? ["root", "base.tar.zst"]
      : ["root"];
    const layer = needed.every((part) => parts.includes(part))
      ? await findLayer(layers, name).catch(() => undefined)
      : undefined;
    if (layer === undefined) broken.push(name);
    else whole.push(layer);
  }
  return { whole, broken };
}

/** Removes a layer: a rename makes it disappear at once, then its files are deleted. */
export async function removeLayer(layers: string, name: string): Promise<void> {
  const out = makeOwnFolder(layers, ".old");
  await ifExists(rename(join(layers, name), join(out, name)));
  crashPoint("expire.layer-gone");
  await removeTree(out);
}
