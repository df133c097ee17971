import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { ifExists } from "../files/optional-file.ts";
import { childPath } from "../host/paths.ts";
import type { Layer, LayerRecord } from "./layer.ts";

/**
 * A layer by its name; undefined when it is not there, or not whole: its record or its files are
 * missing, or the record is not what was written. Such a layer is made again when it is needed.
 */
export async function readLayer(
  folder: string,
  name: string,
): Promise<Layer | undefined> {
  const place = childPath(folder, name);
  const text = await ifExists(readFile(join(place, "layer.json"), "utf8"));
  const record = text === undefined ? undefined : recordIn(text);
  if (record === undefined) return undefined;
  const root = join(place, "root");
  // While a layer of an earlier version is converted, its files have this name for a moment.
  const files =
    (await ifExists(stat(root))) ??
    (await ifExists(stat(join(place, ".root.old"))));
  return files === undefined ? undefined : { ...record, root };
}

function recordIn(text: string): LayerRecord | undefined {
  try {
    const record = JSON.parse(text) as Partial<LayerRecord> | null;
    return typeof record?.name === "string" && Array.isArray(record.below)
      ? (record as LayerRecord)
      : undefined;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}
