import {
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  stat,
  utimes,
} from "node:fs/promises";
import { dirname, join } from "node:path";

import { misconfigured } from "../domain/error.ts";
import { writeFileAtomic } from "../files/atomic-file.ts";
import { execOk } from "../host/exec.ts";
import { ifExists } from "../files/optional-file.ts";
import { makeOwnFolder } from "../files/own-folder.ts";
import { childPath } from "../host/paths.ts";
import type { Base, Layer, LayerKind } from "./layer.ts";
import { removeTree } from "./remove-tree.ts";
import { remedy } from "../domain/remedy.ts";

/** The contents of layer.json; paths follow from its location. */
export type LayerRecord = Omit<Layer, "root"> &
  Partial<Pick<Base, "sources" | "acquire">>;

/** A layer by its name, or undefined. */
export async function findLayer(
  folder: string,
  name: string,
): Promise<Layer | undefined> {
  const file = join(childPath(folder, name), "layer.json");
  const text = await ifExists(readFile(file, "utf8"));
  if (text === undefined) return undefined;
  return {
    ...(JSON.parse(text) as LayerRecord),
    root: join(folder, name, "root"),
  };
}

/** Marks a layer as used now: retention goes by the modification time of its record. */
export async function touchLayer(folder: string, name: string): Promise<void> {
  const time = Date.now() / 1000;
  await utimes(join(childPath(folder, name), "layer.json"), time, time);
}

/** All layers of a kind. */
export async function listLayers(
  folder: string,
  kind: LayerKind,
): Promise<Layer[]> {
  const names = (await ifExists(readdir(folder))) ?? [];
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

/** A new folder on the layers' file system, to assemble a layer in. */
export async function layerInProgress(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  return makeOwnFolder(folder, ".new");
}

/**
 * Makes a folder with `root` (and what else belongs to it) a layer: writes its record, flushes
 * everything, and renames it into place. If that layer already exists, the new one is removed.
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
  // The record must not survive a power failure that the files do not survive.
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

/** Keeps what a closed session wrote as a layer. `upper` is the session's own upper folder. */
export async function keepUpper(
  folder: string,
  upper: string,
  record: LayerRecord,
): Promise<Layer> {
  const progress = await layerInProgress(folder);
  try {
    // The folder itself belongs to root of the session; the one it lies in is ours to move.
    await rename(dirname(upper), progress);
    await chmod(progress, 0o700);
    return await commitLayer(folder, progress, record);
  } catch (thrown) {
    await removeTree(progress);
    throw thrown;
  }
}

/** Runs a command as root of a session, with the ids that sessions use. */
const asInside = "unshare --user --map-auto --setuid 0 --setgid 0";
const tarOptions =
  "--xattrs --xattrs-include='*' --numeric-owner --preserve-permissions";

/**
 * Unpacks a tarball as the root folder of a layer, owned by the ids that sessions use. Device nodes are
 * left out: every session has its own /dev.
 *
 * @param compress option for tar, such as `--zstd`
 */
export async function unpackRoot(
  tarball: string,
  root: string,
  compress: string,
): Promise<void> {
  await makeRoot(root);
  await execOk([
    ...["bash", "-c"],
    // Opened before switching ids, since the other ids may not be able to enter the folders above.
    `cd "$1" && exec ${asInside} tar --extract "$3" ${tarOptions} --exclude='./dev/*' --file=- <"$2"`,
    ...["unpack", root, tarball, compress],
  ]);
}

/** An empty folder that belongs to root of sessions. */
async function makeRoot(root: string): Promise<void> {
  await removeTree(root);
  await mkdir(root);
  await chmod(root, 0o755);
  await execOk([
    ...["unshare", "--user", "--map-auto", "--map-root-user"],
    ...["chown", "1:1", root],
  ]);
}

/**
 * Converts a layer of an earlier version, owned by this user instead of the sessions' root, by copying
 * it once. Killed at any instant, the layer is the old one or the new one.
 */
export async function makeUsable(folder: string, layer: Layer): Promise<void> {
  const place = join(folder, layer.name);
  const made = join(place, ".root.made");
  const old = join(place, ".root.old");
  const isOld = async () =>
    (await ifExists(stat(layer.root)))?.uid === process.geteuid?.();
  if ((await ifExists(stat(layer.root))) !== undefined && !(await isOld()))
    return;
  const { exclusively } = await import("../locks/exclusively.ts");
  await exclusively(join(folder, ".usable.lock"), async () => {
    if ((await ifExists(stat(layer.root))) === undefined)
      await ifExists(rename(old, layer.root));
    if (await isOld()) {
      await makeRoot(made);
      await execOk([
        ...["bash", "-o", "pipefail", "-c"],
        `(cd "$1" && exec unshare --user --map-auto --map-root-user tar --create ${tarOptions} --file=- .) |
(cd "$2" && exec ${asInside} tar --extract ${tarOptions} --file=-)`,
        ...["shift", layer.root, made],
      ]);
      await execOk(["sync", "--file-system", made]);
      await rename(layer.root, old);
      await rename(made, layer.root);
    }
    await removeTree(old);
  });
}
