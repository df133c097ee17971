import { existsSync, lstatSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";

import type { StoredRevision } from "../../backends/archive/revisions.ts";
import type { Connection } from "../../state/database.ts";
import type { StoredArtifact } from "../../state/snapshot.ts";
import { stepOfTicket, storedArtifacts } from "../../state/snapshot.ts";
import type { Engine } from "../../engine/engine.ts";
import type { StepCode } from "../../domain/step.ts";
import { completeStep, hasEnded, workStep } from "../../domain/step.ts";

/** What a full backup copies beside the state file. */
export interface FileList {
  /** Revision of the archive that clients see in the copy; null when there is no archive. */
  readonly revision: number | null;
  /** Files of the data store that are not there, as CONTAINER/NAME. */
  readonly missing: readonly string[];
}

/**
 * Writes the names of the files to copy, relative to the state folder, each ended by a NUL: what the
 * snapshot names, and no file that a link leads to. (A folder of the state may be a link: that is
 * how an administrator moves one to another disk.)
 */
export async function listFiles(
  engine: Engine,
  snapshot: Connection,
  list: string,
): Promise<FileList> {
  const { paths } = engine;
  const out = await open(list, "wx");
  try {
    const add = (path: string) => out.write(`${path}\0`);
    for (const folder of ["gnupg", "uploaders"])
      for await (const path of plainFiles(paths.root, folder)) await add(path);
    const missing: string[] = [];
    for (const artifact of storedArtifacts(snapshot)) {
      const path = storePath(artifact);
      if (isPlainFile(join(paths.root, path))) await add(path);
      else missing.push(`${artifact.container}/${artifact.name}`);
    }
    const revisions = await knownRevisions(engine, snapshot);
    for (const { revision } of revisions)
      await add(`archive/.revisions/${revision}`);
    for (const path of poolFiles(revisions))
      if (isPlainFile(join(paths.archive, path)))
        await add(join("archive", path));
    return { revision: revisions.at(-1)?.revision ?? null, missing };
  } finally {
    await out.close();
  }
}

/** Where an artifact's file is in the state folder. */
export function storePath({
  container,
  name,
}: Pick<StoredArtifact, "container" | "name">): string {
  return join("store", container, name);
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
 * The revisions of the archive that the snapshot knows of. A ticket that the snapshot does not have
 * at its last step yet published after it.
 */
async function knownRevisions(
  { paths, backends }: Engine,
  snapshot: Connection,
): Promise<StoredRevision[]> {
  if (!existsSync(join(paths.archive, "dists"))) return [];
  const archive = await backends.archive();
  const { revision: current } = await archive.current();
  const known: StoredRevision[] = [];
  for (const revision of (await archive.revisions()) as StoredRevision[]) {
    const { ticket } = revision;
    const step =
      ticket === null ? completeStep : stepOfTicket(snapshot, ticket);
    if (revision.revision > current || !mayBePublished(step)) break;
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

function poolFiles(revisions: readonly StoredRevision[]): Set<string> {
  const publications = revisions.flatMap((one) =>
    Object.values(one.publications).flat(),
  );
  return new Set(
    publications.flatMap(({ files }) => files.map(({ path }) => path)),
  );
}
