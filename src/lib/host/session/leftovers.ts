import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { isAbandoned, makeOwnFolder } from "../own-folder.ts";
import { removeTree } from "./remove-tree.ts";

/** Folders of layers on their way in or out whose process was killed; `.old` ones are always rubbish. */
export async function abandonedLayers(layers: string): Promise<string[]> {
  const names = await namesIn(layers);
  return names.filter(
    (name) => /^\.(?:new|old)\./.test(name) && isAbandoned(name) === true,
  );
}

/** Layers that are no layers: without their record, or without their files. */
export async function brokenLayers(layers: string): Promise<string[]> {
  const names = (await namesIn(layers)).filter((name) => !name.startsWith("."));
  const broken: string[] = [];
  for (const name of names) {
    const parts = await namesIn(join(layers, name));
    const needed = ["layer.json", "root"];
    if (name.startsWith("base-")) needed.push("base.tar.zst");
    if (needed.some((part) => !parts.includes(part))) broken.push(name);
  }
  return broken;
}

/** Removes a layer: in one instant for those who look for it, then its files. */
export async function removeLayer(layers: string, name: string): Promise<void> {
  const out = makeOwnFolder(layers, ".old");
  await rename(join(layers, name), join(out, name));
  await removeTree(out);
}

/** Removes what is remembered of build dependencies whose layer is gone, or that was not looked at since. */
export async function forgetDeps(
  layers: string,
  since: number,
): Promise<string[]> {
  const folder = join(layers, ".known-deps");
  const kept = new Set(await namesIn(layers));
  const forgotten: string[] = [];
  for (const name of await namesIn(folder)) {
    const file = join(folder, name);
    const text = await readFile(file, "utf8").catch(() => "{}");
    const { layer } = JSON.parse(text) as { layer?: string | null };
    const usable =
      layer === null
        ? (await stat(file)).mtimeMs >= since
        : layer !== undefined && kept.has(layer);
    if (usable) continue;
    await rm(file, { force: true });
    forgotten.push(name);
  }
  return forgotten;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw thrown;
  }
}
