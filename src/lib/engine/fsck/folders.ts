import { lstatSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { join } from "node:path";

import { heldLocks } from "../../host/lock.ts";
import { isAbandoned } from "../../host/own-folder.ts";
import type { StatePaths } from "../../host/paths.ts";
import { removeTree } from "../../host/session/remove-tree.ts";
import type { Engine } from "../engine.ts";
import { abandonedFolders, namesIn } from "../leftovers.ts";
import type { Journal } from "../restore/take-place.ts";
import { readJournal, workFolder } from "../restore/take-place.ts";
import type { Found } from "./finding.ts";
import { withMend } from "./finding.ts";

/** Scratch that no process needs, and a restore that was ended in the middle. */
export async function folders({ db, paths }: Engine): Promise<Found[]> {
  const gone = await abandonedFolders(db, paths);
  const odd = (await namesIn(paths.scratch)).filter(
    (name) => !/^run\.[0-9]+$/.test(name) && isAbandoned(name) === undefined,
  );
  const journal = await readJournal(paths);
  const restores = heldLocks(paths.run).some(
    ({ name, dead }) => name === "restore" && !dead,
  );
  return [
    ...(journal === null || restores ? [] : [endedRestore(paths, journal)]),
    ...gone.map((where) => ({
      check: "scratch",
      what: "no process needs it any more",
      where,
      remedy: "`ubuntu-ci expire` removes it",
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

function endedRestore(paths: StatePaths, { phase, file }: Journal): Found {
  const common = {
    check: "state",
    what: `a restore of ${file} was ended in the middle`,
    where: workFolder(paths),
  };
  // The state itself was not changed yet.
  if (phase === "unpacking")
    return {
      ...common,
      remedy: `\`ubuntu-ci restore ${file}\` begins again; ${withMend} removes what it left`,
      mend: () => rm(workFolder(paths), { recursive: true, force: true }),
    };
  return { ...common, remedy: `\`ubuntu-ci restore ${file}\` goes on` };
}

/** Whether others may read what is secret. */
export async function keys({ paths }: Engine): Promise<Found[]> {
  const found: Found[] = [];
  const walk = async (path: string): Promise<void> => {
    const file = lstatSync(path, { throwIfNoEntry: false });
    if (file === undefined || file.isSymbolicLink()) return;
    if ((file.mode & 0o077) !== 0)
      found.push({
        check: "key",
        what: `others may read it (mode ${(file.mode & 0o777).toString(8)})`,
        where: path,
        remedy: `${withMend} closes it; think about whether it was read`,
        mend: () => chmod(path, file.isDirectory() ? 0o700 : 0o600),
      });
    if (file.isDirectory())
      for (const name of await namesIn(path)) await walk(join(path, name));
  };
  await walk(paths.gnupg);
  for (const name of await namesIn(paths.backups))
    if (name.endsWith(".tar.zst")) await walk(join(paths.backups, name));
  return found;
}
