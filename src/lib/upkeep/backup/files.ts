import { existsSync, lstatSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join, relative } from "node:path";

import type { Archive, KeptFiles } from "../../backends/archive/archive.ts";
import type { Connection } from "../../state/database.ts";
import { stepOfTicket, storedArtifacts } from "../../state/snapshot.ts";
import type { LocalEngine } from "../../engine/engine.ts";
import type { StepCode } from "../../domain/step.ts";
import { completeStep, hasEnded, workStep } from "../../domain/step.ts";

/** What a full backup contains beside the state file. */
export interface FileList {
  /** The link to the archive's current revision in the copy; null when there is no archive. */
  readonly archiveLink: KeptFiles["link"] | null;
  /** Missing files of the data store, as CONTAINER/NAME. */
  readonly missing: readonly string[];
}

/**
 * Writes the names of the files to copy to `list`, relative to the state folder and NUL-terminated. Links
 * to files are left out. A top-level folder of the state may be a link: that is how an administrator
 * moves it to another disk.
 */
export async function listFiles(
  engine: LocalEngine,
  snapshot: Connection,
  list: string,
  signal: AbortSignal,
): Promise<FileList> {
  const { paths, store } = engine;
  const out = await open(list, "wx");
  try {
    const add = (path: string) => out.write(`${path}\0`);
    for (const folder of ["gnupg", "uploaders"])
      for await (const path of plainFiles(paths.root, folder)) await add(path);
    const missing: string[] = [];
    for (const artifact of storedArtifacts(snapshot)) {
      signal.throwIfAborted();
      const path = store.pathOf(artifact);
      if (isPlainFile(path)) await add(relative(paths.root, path));
      else missing.push(`${artifact.container}/${artifact.name}`);
    }
    const archive = await engine.backends.archive();
    const [first, ...more] = await knownRevisions(archive, snapshot);
    if (first === undefined) return { archiveLink: null, missing };
    const kept = await archive.filesToKeep([first, ...more]);
    for (const path of kept.paths) await add(path);
    return { archiveLink: kept.link, missing };
  } finally {
    await out.close();
  }
}

function isPlainFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

async function* plainFiles(
  root: string,
  folder: string,
): AsyncGenerator<string> {
  if (!existsSync(join(root, folder))) return;
  for (const entry of await readdir(join(root, folder), {
    withFileTypes: true,
  })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* plainFiles(root, path);
    else if (entry.isFile()) yield path;
  }
}

/**
 * The archive's revisions up to the time of the snapshot. A revision is later when its ticket has not
 * reached the last step in the snapshot.
 */
async function knownRevisions(
  archive: Archive,
  snapshot: Connection,
): Promise<number[]> {
  const known: number[] = [];
  for (const { revision, ticket } of await archive.revisions()) {
    const step =
      ticket === null ? completeStep : stepOfTicket(snapshot, ticket);
    if (!mayBePublished(step)) break;
    known.push(revision);
  }
  return known;
}

/** Whether a ticket at that step may have published. */
function mayBePublished(step: StepCode | undefined): boolean {
  return (
    step !== undefined && (hasEnded(step) || workStep(step)?.publishes === true)
  );
}
