import { existsSync } from "node:fs";
import { lstat, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

import type { ArchiveFault } from "../../backends/archive/archive.ts";
import { archiveOf } from "../../backends/kinds.ts";
import type { Config } from "../../config/config.ts";
import { localStore } from "../../backends/store/local-store.ts";
import type { Problem } from "../../domain/error.ts";
import type { Plan } from "../../domain/plan.ts";
import { ExitCode, UbuntuCiError } from "../../domain/error.ts";
import { digestFile } from "../../files/atomic-file.ts";
import { now } from "../../host/clock.ts";
import { letSignalsIn } from "../../host/let-signals-in.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { ifExists } from "../../files/optional-file.ts";
import {
  endMaintenance,
  readMaintenance,
  startMaintenance,
} from "../../locks/maintenance.ts";
import type { StatePaths } from "../../host/paths.ts";
import { statePaths } from "../../host/paths.ts";
import { putModesRight } from "../../host/state-modes.ts";
import { openDatabase } from "../../state/database.ts";
import {
  danglingRows,
  integrityProblems,
  lastIdsByTable,
  storedArtifacts,
  resumeRestoredState,
} from "../../state/snapshot.ts";
import type { BackupManifest } from "../backup/manifest.ts";
import { checkMembers, readBackupManifest, unpack } from "./backup-file.ts";
import type { RestoreJournal } from "./swap-state.ts";
import {
  checkPlace,
  existing,
  readRestoreJournal,
  swapState,
  unpackedFolder,
  workFolder,
  writeRestoreJournal,
} from "./swap-state.ts";

/** What a restore works with. There may be no state yet. */
export interface RestoreRequest {
  readonly paths: StatePaths;
  readonly config: Config;
  readonly actor: string;
  readonly file: string;
  /** Where the file can be read: its own path, or that of the copy that root passed on. */
  readonly source: string;
  /** Restore a backup with damaged or missing files, too. */
  readonly despiteDamage: boolean;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface RestorePlan extends Plan {
  /** The backup; when an interrupted restore is continued, the one of that. */
  readonly file: string;
  readonly manifest: BackupManifest;
  /** Entries of the state folder that are replaced, and the folder that they are moved to. */
  readonly replaces: readonly string[];
  readonly setAside: string;
  /** Journal of the interrupted restore that is continued, or null. */
  readonly goesOn: RestoreJournal | null;
}

export interface Restored {
  readonly file: string;
  readonly manifest: BackupManifest;
  /** Where the previous state was moved to, or null. */
  readonly setAside: string | null;
  readonly artifacts: number;
  readonly damaged: readonly string[];
}

/**
 * Plans a restore, checking what can be checked without unpacking the backup.
 *
 * @throws UbuntuCiError (2) when the file is not a backup, or there is a state and maintenance is off;
 *   (75) when a command is running; (78) when a newer version made the backup
 */
export async function planRestore({
  paths,
  file,
  source,
}: Pick<RestoreRequest, "paths" | "file" | "source">): Promise<RestorePlan> {
  const journal = await readRestoreJournal(paths);
  if (journal !== null && journal.phase !== "unpacking")
    return {
      command: "restore",
      file: journal.file,
      manifest: journal.manifest,
      replaces: existing(paths, journal.manifest.kind),
      setAside: journal.setAside,
      actions: [
        `go on with the restore of ${journal.file}, which was ended in the middle`,
      ],
      goesOn: journal,
    };
  checkPlace(paths);
  const manifest = await readBackupManifest(source);
  const replaces = existing(paths, manifest.kind);
  const setAside = join(
    paths.setAside,
    `restore-${now().replaceAll(":", "-")}`,
  );
  return {
    command: "restore",
    file,
    manifest,
    replaces,
    setAside,
    actions: [
      `unpack ${file}, a ${manifest.kind} backup of ${manifest.made_at}, and check every file's digest`,
      ...(replaces.length === 0
        ? []
        : [`set ${replaces.join(", ")} of ${paths.root} aside in ${setAside}`]),
      "put the state in place",
      "start tickets in flight over: their PPAs are filled again",
    ],
    goesOn: null,
  };
}

/**
 * Replaces the state by that of a backup. The present state is not changed until the backup is unpacked
 * and every file's digest is checked. Then it is moved aside, not deleted. If it is killed, running the same
 * command again continues it.
 *
 * @throws UbuntuCiError (2) when the file is not a backup, or has damaged files
 */
export async function restore(
  request: RestoreRequest,
  plan: RestorePlan,
): Promise<Restored> {
  const { paths, say } = request;
  let journal = plan.goesOn;
  if (journal === null) journal = await prepare(request, plan);
  else say(plan.actions[0] ?? "");
  await swapState(paths, journal);
  const { file, manifest, setAside, artifacts, damaged } = journal;
  return {
    file,
    manifest,
    setAside: existsSync(setAside) ? setAside : null,
    artifacts,
    damaged,
  };
}

async function prepare(
  request: RestoreRequest,
  { file, manifest, setAside }: RestorePlan,
): Promise<RestoreJournal> {
  const { paths, actor } = request;
  const ownMaintenance =
    (await readRestoreJournal(paths))?.ownMaintenance ??
    readMaintenance(paths.maintenance) === null;
  await mkdir(workFolder(paths), { recursive: true, mode: 0o700 });
  const begun: RestoreJournal = {
    phase: "unpacking",
    file,
    setAside,
    ownMaintenance,
    manifest,
    artifacts: 0,
    damaged: [],
  };
  await writeRestoreJournal(paths, begun);
  // Also where there was no state: cron must not start work on an incomplete one.
  if (ownMaintenance)
    startMaintenance(paths.maintenance, actor, `restore of ${file}`);
  crashPoint("restore.begun");
  try {
    const checked: RestoreJournal = {
      ...begun,
      phase: "setting-aside",
      ...(await unpackAndCheck(request, manifest)),
    };
    await writeRestoreJournal(paths, checked);
    crashPoint("restore.checked");
    return checked;
  } catch (thrown) {
    await rm(workFolder(paths), { recursive: true, force: true });
    if (ownMaintenance) endMaintenance(paths.maintenance);
    throw thrown;
  }
}

async function unpackAndCheck(
  {
    paths,
    config,
    file,
    source,
    actor,
    despiteDamage,
    signal,
    say,
  }: RestoreRequest,
  manifest: BackupManifest,
): Promise<Pick<RestoreJournal, "artifacts" | "damaged">> {
  const made = statePaths(unpackedFolder(paths));
  await rm(made.root, { recursive: true, force: true });
  await mkdir(made.root, { mode: 0o700 });
  say(`looking at ${file}`);
  await checkMembers(
    source,
    manifest,
    join(workFolder(paths), "members"),
    signal,
  );
  say(`unpacking ${file}`);
  await unpack(source, made.root, signal);
  // tar has made everything private, even the archive.
  putModesRight(made.root);
  say("checking every file's digest");
  const db = openDatabase(made.database);
  try {
    const problems = [...integrityProblems(db), ...danglingRows(db)];
    if (problems.length > 0)
      throw damagedBackup(
        file,
        problems.map((message) => ({ where: "state.sqlite", message })),
      );
    // A backup of the database alone refers to the files in the present data store.
    const store = localStore(
      manifest.kind === "full" ? made.store : paths.store,
      null,
    );
    const known = new Set(manifest.missing);
    let artifacts = 0;
    const damaged: { where: string; message: string }[] = [];
    for (const artifact of storedArtifacts(db)) {
      await letSignalsIn(signal);
      artifacts += 1;
      const where = `${artifact.container}/${artifact.name}`;
      const message = await faultOf(store.pathOf(artifact), artifact, signal);
      if (message === undefined) continue;
      damaged.push({
        where,
        message: known.has(where)
          ? "was missing when the backup was made"
          : message,
      });
    }
    if (manifest.kind === "full") {
      // Nobody else uses this copy of the archive, so its locks can be in the work folder.
      const place = {
        ...made,
        locks: join(workFolder(paths), "locks"),
        run: join(workFolder(paths), "run"),
      };
      const archive = await archiveOf(config).open(place, config);
      const faults = await archive.inspect(true);
      damaged.push(
        ...faults
          .filter(isDamage)
          .map(({ where, what }) => ({ where, message: what })),
      );
      // Its clients would take it no more: what they have seen since has a later date.
      if (damaged.length === 0) await archive.resign();
    }
    const unexpected = damaged.filter(({ where }) => !known.has(where));
    if (unexpected.length > 0 && !despiteDamage)
      throw damagedBackup(file, unexpected);
    resumeRestoredState(
      db,
      actor,
      `restored from ${file}, a backup of ${manifest.made_at}`,
      lastIdsByTable(paths.database) ?? {},
    );
    return {
      artifacts,
      damaged: damaged.map(({ where, message }) => `${where}: ${message}`),
    };
  } finally {
    db.close();
  }
}

function isDamage({ kind }: ArchiveFault): boolean {
  return kind !== "unreferenced" && kind !== "half-made";
}

async function faultOf(
  path: string,
  { size, sha256 }: { readonly size: number; readonly sha256: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = await ifExists(lstat(path));
  if (found === undefined) return "is not there";
  if (!found.isFile()) return "is not a regular file";
  if (found.size !== size) return `has ${found.size} bytes, not ${size}`;
  const digest = await digestFile(path, signal);
  return digest.sha256 === sha256
    ? undefined
    : `has the sha256 ${digest.sha256}, not ${sha256}`;
}

function damagedBackup(
  file: string,
  problems: readonly Problem[],
): UbuntuCiError {
  return new UbuntuCiError(
    `${file} was not restored: ${problems.length} of its files are damaged`,
    {
      exitCode: ExitCode.refused,
      hint: "use another backup, or take this one as it is with --despite-damage",
      problems: problems.slice(0, 50),
    },
  );
}
