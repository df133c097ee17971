import { existsSync, lstatSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join, relative } from "node:path";

import type { Archive, KeptFiles } from "../../backends/archive/archive.ts";
import type { Connection } from "../../state/database.ts";
import { stepOfTicket, storedArtifacts } from "../../state/snapshot.ts";
import type { LocalEngine } from "../../engine/engine.ts";
import type { StepCode } from "../../domain/step.ts";
import { completeStep, hasEnded, workStep } from "../../domain/step.ts";

/** What a full backup copies beside the state file. */
export interface FileList {
  /** The link that shows the archive's revision in the copy; null when there is no archive. */
  readonly archiveLink: KeptFiles["link"] | null;
  /** Files of the data store that are not there, as CONTAINER/NAME. */
  readonly missing: readonly string[];
}

/**
 * Writes the names of the files to copy, relative to the state folder, each ended by a NUL: what the
 * snapshot names, and no file that a link leads to. (A folder of the state may be a link: that is
 * how an administrator moves one to another disk.)
 */
export async function listFiles(
  engine: LocalEngine,
  snapshot: Connection,
  list: string,
): Promise<FileList> {
  const { paths, store } = engine;
  const out = await open(list, "wx");
  try {
    const add = (path: string) => out.write(`${path}\0`);
    for (const folder of ["gnupg", "uploaders"])
      for await (const path of plainFiles(paths.root, folder)) await add(path);
    const missing: string[] = [];
    for (const artifact of storedArtifacts(snapshot)) {
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
 * Numbers of the revisions of the archive that the snapshot knows of. A ticket that the snapshot does not have
 * at its last step yet published after it.
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

/** Whether a ticket at that step may be in the archive. One that failed has no revision that counts. */
function mayBePublished(step: StepCode | undefined): boolean {
  return (
    step !== undefined && (hasEnded(step) || workStep(step)?.publishes === true)
  );
}
