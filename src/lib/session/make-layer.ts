import { chmod, mkdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { writeFileAtomic } from "../files/atomic-file.ts";
import { hasCode, ifExists } from "../files/optional-file.ts";
import { makeOwnFolder } from "../files/own-folder.ts";
import { execOk } from "../host/exec.ts";
import { childPath } from "../host/paths.ts";
import type { Layer, LayerRecord } from "./layer.ts";
import { readLayer } from "./read-layer.ts";
import { removeTree } from "./remove-tree.ts";
import { asSubordinateRoot } from "./subordinate-ids.ts";

/** Makes a folder to assemble a layer in, on the file system of the layers. */
export async function layerInProgress(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  return makeOwnFolder(folder, ".new");
}

/**
 * Makes an assembled folder, with `root` and what else belongs to it, a layer: writes its record,
 * flushes everything, and renames it into place. If that layer already exists, the folder is removed.
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
  const place = childPath(folder, record.name);
  try {
    await rename(progress, place);
  } catch (thrown) {
    if (!hasCode(thrown, "ENOTEMPTY") && !hasCode(thrown, "EEXIST"))
      throw thrown;
    if ((await readLayer(folder, record.name)) === undefined) {
      // What is in its place is damaged, and nothing can use it.
      const old = makeOwnFolder(folder, ".old");
      await rename(place, join(old, record.name));
      await rename(progress, place);
      await removeTree(old);
    } else await removeTree(progress);
  }
  return { ...record, root: join(folder, record.name, "root") };
}

/** Keeps what a closed session wrote, its upper folder, as a layer. */
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

/** Shell words that run a command as root of a session, with the ids that sessions use. */
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

/** Makes an empty folder that belongs to root of sessions. */
async function makeRoot(root: string): Promise<void> {
  await removeTree(root);
  await mkdir(root);
  await chmod(root, 0o755);
  await execOk([...asSubordinateRoot, "chown", "1:1", root]);
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
        `(cd "$1" && exec ${asSubordinateRoot.join(" ")} tar --create ${tarOptions} --file=- .) |
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
