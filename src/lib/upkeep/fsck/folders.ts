import { lstatSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { join } from "node:path";

import { ifExists } from "../../files/optional-file.ts";
import { configFiles } from "../../config/config.ts";
import { heldLocks } from "../../locks/lock.ts";
import { namesItsOwner } from "../../files/own-folder.ts";
import type { StatePaths } from "../../host/paths.ts";
import { removeTree } from "../../session/remove-tree.ts";
import { wrongModes } from "../../host/state-modes.ts";
import type { Engine } from "../../engine/engine.ts";
import { namesIn } from "../../files/names-in.ts";
import { abandonedFolders } from "../abandoned-folders.ts";
import type { RestoreJournal } from "../restore/swap-state.ts";
import { readRestoreJournal, workFolder } from "../restore/swap-state.ts";
import type { Found } from "./inconsistency.ts";
import { missingUploaders } from "../../tickets/recorded-uploaders.ts";
import { fromBackup, mending } from "./inconsistency.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** Finds scratch folders that no process uses, and an interrupted restore. */
export async function folders({ db, paths }: Engine): Promise<Found[]> {
  const gone = await abandonedFolders(db, paths);
  // Whether another host's process is gone can be seen there alone.
  const odd = (await namesIn(paths.scratch)).filter(
    (name) => !/^run\.[0-9]+$/.test(name) && !namesItsOwner(name),
  );
  const journal = await readRestoreJournal(paths);
  const restores = heldLocks(paths.run).some(
    ({ name, dead }) => name === "restore" && !dead,
  );
  return [
    ...(journal === null || restores ? [] : [endedRestore(paths, journal)]),
    ...gone.map((where) => ({
      check: "scratch",
      what: "no process needs it any more",
      where,
      remedy: advice`${remedy("expire")} removes it`,
      mend: () => removeTree(where),
    })),
    ...odd.map((name) => ({
      check: "scratch",
      what: "it does not say whose it is",
      where: join(paths.scratch, name),
      remedy: "remove it when nothing runs",
    })),
  ];
}

function endedRestore(
  paths: StatePaths,
  { phase, file }: RestoreJournal,
): Found {
  const common = {
    check: "state",
    what: `a restore of ${file} was ended in the middle`,
    where: workFolder(paths),
  };
  // Until then, a restore has not changed the state.
  if (phase === "unpacking")
    return {
      ...common,
      remedy: advice`${remedy("restore", [file])} begins again; ${mending} removes what it left`,
      mend: () => rm(workFolder(paths), { recursive: true, force: true }),
    };
  return { ...common, remedy: advice`${remedy("restore", [file])} goes on` };
}

/** Finds files whose mode is too open, or too closed for what is public. */
export function modes({ paths }: Engine): Found[] {
  return [...wrongModes(paths.root)]
    .filter(({ path }) => !isKey(paths, path))
    .map(({ path, found, wanted, foreign }) => ({
      check: "mode",
      what: foreign
        ? "it is another user's"
        : `its mode is ${octal(found)}, not ${octal(wanted)}`,
      where: path,
      remedy: foreign
        ? "look what it is, and have its owner or root move it away"
        : advice`${mending} sets it`,
      ...(!foreign && {
        mend: () => ifExists(chmod(path, wanted)),
      }),
    }));
}

/** Whether {@link keys} checks a path. */
function isKey({ gnupg, backups }: StatePaths, path: string): boolean {
  return (
    path === gnupg ||
    path.startsWith(`${gnupg}/`) ||
    (path.startsWith(`${backups}/`) && path.endsWith(".tar.zst"))
  );
}

const octal = (mode: number) => mode.toString(8).padStart(4, "0");

/** Finds secret files that others may read, and uploaders' keys that are missing. */
export async function keys({ db, paths }: Engine): Promise<Found[]> {
  const found: Found[] = missingUploaders(db, paths).map((fingerprint) => ({
    check: "key",
    what: `the uploader's key ${fingerprint} was accepted, and is missing`,
    where: paths.uploaders,
    remedy: advice`${fromBackup}, or accept it again: ${remedy("uploaders add", ["KEYFILE"])}`,
  }));
  const walk = async (path: string): Promise<void> => {
    const file = lstatSync(path, { throwIfNoEntry: false });
    if (file === undefined || file.isSymbolicLink()) return;
    if ((file.mode & 0o077) !== 0)
      found.push({
        check: "key",
        what: `others may read it (mode ${(file.mode & 0o777).toString(8)})`,
        where: path,
        remedy: advice`${mending} closes it; think about whether it was read`,
        mend: () => chmod(path, file.isDirectory() ? 0o700 : 0o600),
      });
    if (file.isDirectory())
      for (const name of await namesIn(path)) await walk(join(path, name));
  };
  await walk(paths.gnupg);
  for (const file of configFiles(paths.root)) await walk(file);
  for (const name of await namesIn(paths.backups))
    if (name.endsWith(".tar.zst")) await walk(join(paths.backups, name));
  return found;
}
