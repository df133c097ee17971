import { existsSync, lstatSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";

import { digestFile, isUnfinished } from "../../files/atomic-file.ts";
import { letSignalsIn } from "../../host/let-signals-in.ts";
import { exclusively } from "../../locks/exclusively.ts";
import {
  artifactAt,
  inImmediateTransaction,
  stillRunning,
} from "../../state/inspection.ts";
import { expiredArtifacts, storedArtifacts } from "../../state/snapshot.ts";
import type { LocalEngine } from "../../engine/engine.ts";
import { creationLock } from "../../tickets/creation-lock.ts";
import { removeStored } from "../expire.ts";
import { namesIn } from "../../files/names-in.ts";
import type { Found, LookOptions } from "./inconsistency.ts";
import { fromBackup, mending } from "./inconsistency.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** Finds files of the data store that are missing or differ from their rows. */
export async function artifacts(
  engine: LocalEngine,
  { digests, signal }: LookOptions,
): Promise<Found[]> {
  const { db, store } = engine;
  const found: Found[] = [];
  for (const artifact of storedArtifacts(db)) {
    await letSignalsIn(signal);
    const { id, ticket, container, name, size, sha256 } = artifact;
    const where = store.pathOf(artifact);
    const fault = async () => {
      const file = lstatSync(where, { throwIfNoEntry: false });
      if (file === undefined) return "there is a row and no file";
      if (!file.isFile()) return "it is not a regular file";
      if (file.size !== size) return `it has ${file.size} bytes, not ${size}`;
      if (!digests) return undefined;
      const digest = (await digestFile(where, signal)).sha256;
      return digest === sha256
        ? undefined
        : `its sha256 is ${digest}, not ${sha256}`;
    };
    const what = await fault();
    // A running step replaces files before it records them, and expire may have removed the row since.
    if (what === undefined || !artifactAt(db, container, name).has(id))
      continue;
    if (stillRunning(db, ticket)) continue;
    found.push({
      check: "store",
      what,
      where,
      remedy: advice`${fromBackup}, or have it made again: ${remedy("retry", [ticket])}`,
    });
  }
  for (const artifact of expiredArtifacts(db)) {
    await letSignalsIn(signal);
    const where = store.pathOf(artifact);
    if (!existsSync(where)) continue;
    found.push({
      check: "store",
      what: "it expired, and is still there",
      where,
      remedy: advice`${mending} removes it`,
      mend: () =>
        inImmediateTransaction(db, () => {
          if (!stillRunning(db, artifact.ticket))
            removeStored(engine, artifact);
        }),
    });
  }
  return found;
}

/** Finds files in the data store that no row mentions. */
export async function strayFiles(
  { db, paths, store }: LocalEngine,
  { aside, signal }: LookOptions,
): Promise<Found[]> {
  const found: Found[] = [];
  // While a ticket is created, its files are in place before its rows are committed.
  const atRest = <T>(look: () => T): Promise<T> =>
    exclusively(creationLock(paths), () =>
      Promise.resolve(inImmediateTransaction(db, look)),
    );
  for (const container of await namesIn(store.root)) {
    const folder = join(store.root, container);
    const ticket = Number(/^ticket\.([0-9]+)(?:\.|$)/.exec(container)?.[1]);
    if (
      lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true ||
      Number.isNaN(ticket)
    ) {
      found.push({
        check: "store",
        what: "it does not belong to a ticket",
        where: folder,
        remedy: "look what it is, and move it away",
      });
      continue;
    }
    for (const name of await namesIn(folder)) {
      await letSignalsIn(signal);
      const where = join(folder, name);
      const isStray = () =>
        !stillRunning(db, ticket) &&
        artifactAt(db, container, name).size === 0 &&
        lstatSync(where, { throwIfNoEntry: false }) !== undefined;
      if (!isStray() || !(await atRest(isStray))) continue;
      const unfinished = isUnfinished(name);
      found.push({
        check: "store",
        what: unfinished
          ? "a killed process left it half written"
          : "there is a file and no row",
        where,
        remedy: unfinished
          ? advice`${mending} removes it`
          : advice`${mending} moves it to ${aside}`,
        mend: () =>
          atRest(() => {
            if (!isStray()) return;
            if (unfinished) rmSync(where, { recursive: true });
            else moveTo(aside, paths.root, where);
          }),
      });
    }
  }
  return found;
}

function moveTo(aside: string, root: string, path: string): void {
  const place = join(aside, relative(root, path));
  mkdirSync(dirname(place), { recursive: true });
  renameSync(path, place);
}
