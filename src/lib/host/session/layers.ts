import { mkdir, readdir, readFile, rename, utimes } from "node:fs/promises";
import { join } from "node:path";

import { misconfigured } from "../../domain/error.ts";
import { writeFileAtomic } from "../atomic-file.ts";
import { execOk } from "../exec.ts";
import { ifThere } from "../if-there.ts";
import { makeOwnFolder } from "../own-folder.ts";
import { childPath } from "../paths.ts";
import type { Base, Layer, LayerKind } from "./layer.ts";
import { removeTree } from "./remove-tree.ts";

/** What is written to layer.json; the paths follow from where it lies. */
export type LayerRecord = Omit<Layer, "root"> &
  Partial<Pick<Base, "sources" | "acquire">>;

/** A layer by its name, or undefined. */
export async function findLayer(
  folder: string,
  name: string,
): Promise<Layer | undefined> {
  const file = join(childPath(folder, name), "layer.json");
  const text = await ifThere(readFile(file, "utf8"));
  if (text === undefined) return undefined;
  return {
    ...(JSON.parse(text) as LayerRecord),
    root: join(folder, name, "root"),
  };
}

/** Notes that a layer is used now: retention goes by the time of its record. */
export async function touchLayer(folder: string, name: string): Promise<void> {
  const time = Date.now() / 1000;
  await utimes(join(childPath(folder, name), "layer.json"), time, time);
}

/** All layers of a kind. */
export async function listLayers(
  folder: string,
  kind: LayerKind,
): Promise<Layer[]> {
  const names = (await ifThere(readdir(folder))) ?? [];
  const found = await Promise.all(
    names
      .filter((name) => name.startsWith(`${kind}-`))
      .map((name) => findLayer(folder, name)),
  );
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
 * The base an image starts from: the one named, else the series' own.
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
    throw misconfigured(
      name === null
        ? `there is no base of ${series}`
        : `there is no base ${name}`,
      `ubuntu-ci init --series ${series}`,
    );
  }
  return asBase(folder, layer);
}

function asBase(folder: string, layer: Layer): Base {
  return {
    ...(layer as Base),
    kind: "base",
    tarball: join(folder, layer.name, "base.tar.zst"),
  };
}

/** A new folder beside the layers, on the same file system, to put a layer together in. */
export async function layerInProgress(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  return makeOwnFolder(folder, ".new");
}

/**
 * Makes a folder that holds `root` (and what else belongs to it) a layer: its record is written, all
 * of it is flushed, and it is renamed into place. When that layer is there already, ours goes away.
 */
export async function commitLayer(
  folder: string,
  progress: string,
  record: LayerRecord,
): Promise<Layer> {
  await writeFileAtomic(
    join(progress, "layer.json"),
    `${JSON.stringify(record, null, 2)}\n`,
  );
  // A layer that lasts while its files do not would be used for good.
  await execOk(["sync", "--file-system", progress]);
  try {
    await rename(progress, childPath(folder, record.name));
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw thrown;
    await removeTree(progress);
  }
  return { ...record, root: join(folder, record.name, "root") };
}

/** Keeps what a closed session wrote as a layer. */
export async function keepUpper(
  folder: string,
  upper: string,
  record: LayerRecord,
): Promise<Layer> {
  const progress = await layerInProgress(folder);
  try {
    await rename(upper, join(progress, "root"));
    return await commitLayer(folder, progress, record);
  } catch (thrown) {
    await removeTree(progress);
    throw thrown;
  }
}
