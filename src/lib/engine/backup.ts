import { existsSync, lstatSync, openSync, closeSync, writeSync } from "node:fs";
import { copyFile, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";

import { messageOf, notNow, refused } from "../domain/error.ts";
import {
  digestFile,
  replaceSymlink,
  syncPath,
  writeFileAtomic,
} from "../host/atomic-file.ts";
import { now } from "../host/clock.ts";
import { describeEnd, exec, lastLines } from "../host/exec.ts";
import { isAbandoned, makeOwnFolder, ownName } from "../host/own-folder.ts";
import type { Connection } from "../state/database.ts";
import { stillRunning } from "../state/inspection.ts";
import type { StoredArtifact } from "../state/snapshot.ts";
import {
  digestOnRecord,
  recordBackup,
  stepOfTicket,
  storedArtifacts,
  takeSnapshot,
} from "../state/snapshot.ts";
import type { StoredRevision } from "../backends/archive/revisions.ts";
import type { Engine } from "./engine.ts";

/** What a backup says about itself, in its first member, manifest.json. */
export interface BackupManifest {
  readonly format: 1;
  readonly made_at: string;
  readonly kind: "full" | "database";
  /** Where the state was, and the configuration that it went by, or null. */
  readonly state: string;
  readonly config: string | null;
  /** Files of the data store that were not there to be copied, as CONTAINER/NAME. */
  readonly missing: readonly string[];
}

export interface Backup {
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  readonly manifest: BackupManifest;
  /** Files that were copied and are not what the state says, as CONTAINER/NAME: damaged before. */
  readonly damaged: readonly string[];
}

/** Which kind of backup a file of STATE/backups is by its name; undefined when it is none of ours. */
export function backupKind(name: string): BackupManifest["kind"] | undefined {
  const found = /^[0-9]{4}-[0-9-]+T[0-9.-]+Z(\.database)?\.tar\.zst$/.exec(
    name,
  );
  if (found === null) return undefined;
  return found[1] === undefined ? "full" : "database";
}

/** Where a backup made now goes, unless a file is named. */
export function backupPlace(
  { paths }: Pick<Engine, "paths">,
  kind: BackupManifest["kind"],
): string {
  const date = now().replaceAll(":", "-");
  const suffix = kind === "database" ? ".database.tar.zst" : ".tar.zst";
  return join(paths.backups, `${date}${suffix}`);
}

/** What a backup has in it, in words. */
export const contentsOf: Readonly<
  Record<BackupManifest["kind"], readonly string[]>
> = {
  full: [
    "the state file, as it is in one instant",
    "the signing key, the uploaders' keys, a copy of the configuration",
    "every file of the data store that the state names",
    "the archive with all its revisions",
  ],
  database: [
    "the state file, as it is in one instant",
    "a copy of the configuration",
  ],
};

/**
 * Copies the state into one file, consistently, while everything goes on. The state file is copied
 * first; the files that it names are never changed, only replaced, which is found out and has it made
 * again, or removed, by retention, which the caller holds back. aptly's own folders are left out: they
 * are a cache of what the archive is made of. So are the PPAs: they are filled again.
 *
 * The file is this user's alone: it has the signing key in it. It is there whole or not at all.
 *
 * @throws UbuntuCiError (2) when there is a file of that name, (75) when it could not be written
 */
export async function backUp(
  engine: Engine,
  options: {
    readonly file: string;
    readonly kind: BackupManifest["kind"];
    readonly signal: AbortSignal;
  },
): Promise<Backup> {
  const { db, paths, actor } = engine;
  const { file } = options;
  if (existsSync(file))
    throw refused(`there is a file ${file}`, "name another place");
  const folder = dirname(file);
  if (folder === paths.backups)
    await mkdir(folder, { recursive: true, mode: 0o700 });
  await sweep(folder, paths.root);
  const made = join(folder, `${ownName(".backup")}.packed`);
  await createPrivate(made, file);
  try {
    let copied: Awaited<ReturnType<typeof copyOnce>>;
    for (let tries = 3; copied === undefined; tries -= 1) {
      if (tries === 0)
        throw notNow(
          "files were replaced each time while they were copied",
          "run it again later",
        );
      copied = await copyOnce(engine, made, options);
    }
    await syncPath(made);
    await rename(made, file);
    await syncPath(folder);
    const { size } = lstatSync(file);
    recordBackup(db, actor, file, size);
    return { file, size, ...copied };
  } finally {
    await rm(made, { force: true });
  }
}

/** Makes the copy; undefined when a file was replaced meanwhile, so that rows and files disagree. */
async function copyOnce(
  engine: Engine,
  made: string,
  {
    kind,
    signal,
  }: { readonly kind: BackupManifest["kind"]; readonly signal: AbortSignal },
): Promise<Pick<Backup, "manifest" | "damaged"> | undefined> {
  const { db, paths, config } = engine;
  const staging = makeOwnFolder(paths.root, ".backup");
  let snapshot: Connection | undefined;
  try {
    const began = Date.now();
    snapshot = await takeSnapshot(db, join(staging, "state.sqlite"));
    const list = join(staging, "files");
    const staged = ["manifest.json", "state.sqlite"];
    const missing =
      kind === "full" ? listFiles(engine, snapshot, list) : noFiles(list);
    if (kind === "full") {
      const revision = await listArchive(engine, snapshot, list);
      if (revision !== null) {
        await mkdir(join(staging, "archive"));
        await replaceSymlink(
          `.revisions/${revision}/dists`,
          join(staging, "archive/dists"),
        );
        staged.push("archive/dists");
      }
    }
    if (config.file !== null) {
      await copyFile(config.file, join(staging, "configuration"));
      staged.push("configuration");
    }
    const manifest: BackupManifest = {
      format: 1,
      made_at: new Date(began).toISOString(),
      kind,
      state: paths.root,
      config: config.file,
      missing,
    };
    await writeFileAtomic(
      join(staging, "manifest.json"),
      `${JSON.stringify(manifest, null, 1)}\n`,
    );
    await pack(made, { staging, staged, root: paths.root, list }, signal);
    const damaged =
      kind === "full"
        ? await damagedFiles(engine, snapshot, began, new Set(missing))
        : [];
    return damaged === undefined ? undefined : { manifest, damaged };
  } finally {
    snapshot?.close();
    await rm(staging, { recursive: true, force: true });
  }
}

/** Writes the archive. GNU tar says 1 for files whose links changed meanwhile; their contents do not. */
async function pack(
  made: string,
  from: {
    readonly staging: string;
    readonly staged: readonly string[];
    readonly root: string;
    readonly list: string;
  },
  signal: AbortSignal,
): Promise<void> {
  const packed = await exec(
    [
      // tar must not go on when this process is killed.
      ...["setpriv", "--pdeathsig", "KILL", "--"],
      ...["tar", "--create", "--zstd", "--format=posix", "--hard-dereference"],
      ...["--numeric-owner", "--warning=no-file-changed", `--file=${made}`],
      ...[`--directory=${from.staging}`, ...from.staged],
      ...[`--directory=${from.root}`, "--null", "--verbatim-files-from"],
      `--files-from=${from.list}`,
    ],
    { cwd: "/", signal },
  );
  if (packed.exitCode !== 0 && packed.exitCode !== 1)
    throw notNow(
      `tar ${describeEnd(packed)}: ${lastLines(packed.stderr)}`,
      "make room on the disk, or name a file on another one",
    );
}

function noFiles(list: string): string[] {
  closeSync(openSync(list, "w"));
  return [];
}

/** Lists key, uploaders and the files of the data store that the state names; returns what is missing. */
function listFiles(
  { paths }: Engine,
  snapshot: Connection,
  list: string,
): string[] {
  const out = openSync(list, "w");
  try {
    for (const folder of [paths.gnupg, paths.uploaders])
      if (existsSync(folder))
        writeSync(out, `${relative(paths.root, folder)}\0`);
    const missing: string[] = [];
    for (const artifact of storedArtifacts(snapshot)) {
      const path = pathOf(artifact);
      if (isPlainFile(join(paths.root, path))) writeSync(out, `${path}\0`);
      else missing.push(`${artifact.container}/${artifact.name}`);
    }
    return missing;
  } finally {
    closeSync(out);
  }
}

function pathOf({ container, name }: StoredArtifact): string {
  return join("store", container, name);
}

function isPlainFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/**
 * Lists the revisions of the archive that the snapshot knows of, with their files, and returns the
 * newest. A ticket that the snapshot does not have at its last step yet published after it.
 */
async function listArchive(
  { paths, backends }: Engine,
  snapshot: Connection,
  list: string,
): Promise<number | null> {
  if (!existsSync(join(paths.archive, "dists"))) return null;
  const archive = await backends.archive();
  const { revision: current } = await archive.current();
  const known: StoredRevision[] = [];
  for (const revision of (await archive.revisions()) as StoredRevision[]) {
    if (revision.revision > current) break;
    const step =
      revision.ticket === null
        ? 1000
        : (stepOfTicket(snapshot, revision.ticket) ?? 0);
    if (step < 500) break;
    known.push(revision);
  }
  const files = new Set(
    known.flatMap(({ publications }) =>
      Object.values(publications).flatMap((all) =>
        all.flatMap((one) => one.files.map(({ path }) => path)),
      ),
    ),
  );
  const out = await open(list, "a");
  try {
    for (const { revision } of known)
      await out.write(`archive/.revisions/${revision}\0`);
    for (const path of files) {
      if (isPlainFile(join(paths.archive, path)))
        await out.write(`${join("archive", path)}\0`);
    }
  } finally {
    await out.close();
  }
  return known.at(-1)?.revision ?? null;
}

/** A clock that is set back a little must not hide that a file is new. */
const clockSlackMs = 10 * 60_000;

/**
 * The files that the snapshot names and that are not what it says, as CONTAINER/NAME; undefined when
 * one has been replaced since by what the state names now, or is about to.
 */
async function damagedFiles(
  { db, paths }: Engine,
  snapshot: Connection,
  since: number,
  missing: ReadonlySet<string>,
): Promise<string[] | undefined> {
  const damaged: string[] = [];
  for (const artifact of storedArtifacts(snapshot)) {
    const path = join(paths.root, pathOf(artifact));
    const name = `${artifact.container}/${artifact.name}`;
    if (missing.has(name)) continue;
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    if (found.ctimeMs < since - clockSlackMs) continue;
    if ((await digestFile(path)).sha256 === artifact.sha256) continue;
    if (
      digestOnRecord(db, artifact.id) !== artifact.sha256 ||
      stillRunning(db, artifact.ticket)
    )
      return undefined;
    damaged.push(name);
  }
  return damaged;
}

async function createPrivate(made: string, file: string): Promise<void> {
  try {
    await (await open(made, "wx", 0o600)).close();
  } catch (thrown) {
    throw refused(
      `${file} cannot be written: ${messageOf(thrown)}`,
      "name a place that the owner of the state folder may write to",
    );
  }
}

/** Removes what backups left that were killed. */
async function sweep(...folders: readonly string[]): Promise<void> {
  for (const folder of new Set(folders)) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (!basename(name).startsWith(".backup.")) continue;
      if (isAbandoned(name) === true)
        await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}
