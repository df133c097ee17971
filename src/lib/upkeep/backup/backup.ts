import { existsSync, lstatSync, statSync } from "node:fs";
import {
  copyFile,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";

import { messageOf, notNow, refused } from "../../domain/error.ts";
import type { Plan } from "../../domain/plan.ts";
import {
  digestFile,
  replaceSymlink,
  syncPath,
  writeFileAtomic,
} from "../../files/atomic-file.ts";
import { now } from "../../host/clock.ts";
import { crashPoint } from "../../files/crash-point.ts";
import type { ExecResult } from "../../host/exec.ts";
import { describeEnd, exec, lastLines } from "../../host/exec.ts";
import { isAbandoned, makeOwnFolder, ownName } from "../../files/own-folder.ts";
import type { Connection } from "../../state/database.ts";
import { schemaOf } from "../../state/database.ts";
import { stillRunning } from "../../state/inspection.ts";
import {
  digestOnRecord,
  recordBackup,
  storedArtifacts,
  takeSnapshot,
} from "../../state/snapshot.ts";
import type { Engine, LocalEngine } from "../../engine/engine.ts";
import { listFiles } from "./files.ts";
import type { BackupKind, BackupManifest } from "./manifest.ts";
import { backupName, contentsOf } from "./manifest.ts";

export interface BackupPlan extends Plan {
  /** The file to write, absolute. */
  readonly file: string;
  readonly kind: BackupKind;
}

export interface Backup {
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  readonly manifest: BackupManifest;
  /** Files that were already damaged when they were copied, as CONTAINER/NAME. */
  readonly damaged: readonly string[];
}

/**
 * Plans a backup into a file, by default in STATE/backups and named after the time.
 *
 * @throws UbuntuCiError (2) when the file exists, or its folder does not
 */
export function planBackup(
  { paths }: Pick<Engine, "paths">,
  kind: BackupKind,
  file = join(paths.backups, backupName(kind, now())),
): BackupPlan {
  if (lstatSync(file, { throwIfNoEntry: false }) !== undefined)
    throw refused(`there is a file ${file}`, "name another place");
  const actions = [`write ${file}`, ...contentsOf[kind]];
  const folder = dirname(file);
  const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory();
  if (folder !== paths.backups && isFolder !== true)
    throw refused(
      `${file} cannot be written: there is no folder ${folder}`,
      "make it, or name another place",
    );
  return { command: "backup", actions, file, kind };
}

/**
 * Makes a consistent copy of the state in one file, while other commands run. The state file is copied
 * first. The files that it names are never modified. A run may replace or remove them: that is detected,
 * and the copy is made again. Expire may remove them: the caller holds its lock. The working folders of
 * the archive and the PPAs are left out, because they can be made again.
 *
 * Only this user can read the file, because it contains the signing key. It appears complete or not at all.
 *
 * @throws UbuntuCiError (2) when the file cannot be written, (75) when the disk is full
 */
export async function backUp(
  engine: LocalEngine,
  { file, kind }: BackupPlan,
  signal: AbortSignal,
): Promise<Backup> {
  const { db, paths, actor } = engine;
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
      copied = await copyOnce(engine, made, { kind, signal });
    }
    await syncPath(made);
    crashPoint("backup.packed");
    await rename(made, file);
    crashPoint("backup.placed");
    await syncPath(folder);
    const { size } = lstatSync(file);
    recordBackup(db, actor, file, size);
    return { file, size, ...copied };
  } finally {
    await rm(made, { force: true });
  }
}

/** Makes the copy; undefined when files were replaced meanwhile, so that it is not consistent. */
async function copyOnce(
  engine: LocalEngine,
  made: string,
  { kind, signal }: { readonly kind: BackupKind; readonly signal: AbortSignal },
): Promise<Pick<Backup, "manifest" | "damaged"> | undefined> {
  const { db, paths, config } = engine;
  const staging = makeOwnFolder(paths.root, ".backup");
  let snapshot: Connection | undefined;
  try {
    const began = Date.now();
    snapshot = await takeSnapshot(db, join(staging, "state.sqlite"));
    signal.throwIfAborted();
    const list = join(staging, "files");
    const staged = ["manifest.json", "state.sqlite"];
    let missing: readonly string[] = [];
    if (kind === "full") {
      const listed = await listFiles(engine, snapshot, list, signal);
      missing = listed.missing;
      if (listed.archiveLink !== null) {
        const { path, target } = listed.archiveLink;
        await mkdir(join(staging, dirname(path)), { recursive: true });
        await replaceSymlink(target, join(staging, path));
        staged.push(path);
      }
    } else await writeFile(list, "");
    if (config.file !== null) {
      await copyFile(config.file, join(staging, "configuration"));
      staged.push("configuration");
    }
    const manifest: BackupManifest = {
      format: 1,
      schema: schemaOf(snapshot),
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
    const packed = await pack(
      made,
      { staging, staged, root: paths.root, list },
      signal,
    );
    const damaged =
      kind === "full"
        ? await damagedFiles(engine, snapshot, began, new Set(missing), signal)
        : [];
    // Checked first, because tar also fails when a run has removed a file.
    if (damaged === undefined) return undefined;
    // tar exits with 1 when the link count of a file has changed, which does not matter.
    if (packed.exitCode !== 0 && packed.exitCode !== 1)
      throw unpackable(packed);
    return { manifest, damaged };
  } finally {
    snapshot?.close();
    await rm(staging, { recursive: true, force: true });
  }
}

async function pack(
  made: string,
  from: {
    readonly staging: string;
    readonly staged: readonly string[];
    readonly root: string;
    readonly list: string;
  },
  signal: AbortSignal,
): Promise<ExecResult> {
  return exec(
    [
      // Ends tar when this process is killed.
      ...["setpriv", "--pdeathsig", "KILL", "--"],
      ...["tar", "--create", "--zstd", "--format=posix", "--hard-dereference"],
      ...["--numeric-owner", "--warning=no-file-changed", `--file=${made}`],
      ...[`--directory=${from.staging}`, ...from.staged],
      ...[`--directory=${from.root}`, "--null", "--verbatim-files-from"],
      `--files-from=${from.list}`,
    ],
    { cwd: "/", signal },
  );
}

function unpackable(packed: ExecResult): Error {
  return notNow(
    `tar ${describeEnd(packed)}: ${lastLines(packed.stderr)}`,
    "make room on the disk, or name a file on another one",
  );
}

/** So that a new file is recognised even when the clock was set back a little. */
const clockSlackMs = 10 * 60_000;

/**
 * The files that differ from their rows in the snapshot, as CONTAINER/NAME; undefined when one of them
 * was replaced by a run since the snapshot, or may be.
 */
async function damagedFiles(
  { db, store }: LocalEngine,
  snapshot: Connection,
  since: number,
  missing: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  const damaged: string[] = [];
  for (const artifact of storedArtifacts(snapshot)) {
    signal.throwIfAborted();
    const path = store.pathOf(artifact);
    const name = `${artifact.container}/${artifact.name}`;
    if (missing.has(name)) continue;
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    if (found.ctimeMs < since - clockSlackMs) continue;
    if ((await digestFile(path, signal)).sha256 === artifact.sha256) continue;
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

/** Removes what killed backups of this user left behind. */
async function sweep(...folders: readonly string[]): Promise<void> {
  for (const folder of new Set(folders)) {
    if (!existsSync(folder)) continue;
    for (const name of await readdir(folder)) {
      if (!name.startsWith(".backup.") || isAbandoned(name) !== true) continue;
      if (lstatSync(join(folder, name)).uid !== process.geteuid?.()) continue;
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}
