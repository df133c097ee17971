import { createReadStream, existsSync } from "node:fs";
import {
  access,
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
} from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import type { ArchiveFault } from "../backends/archive/archive.ts";
import { inspectRevisions } from "../backends/archive/revision-upkeep.ts";
import { revisionTree } from "../backends/archive/revisions.ts";
import {
  ExitCode,
  messageOf,
  notNow,
  refused,
  refusedWith,
  UbuntuCiError,
} from "../domain/error.ts";
import {
  besidePath,
  digestFile,
  writeFileAtomic,
} from "../host/atomic-file.ts";
import { now } from "../host/clock.ts";
import { describeEnd, exec, lastLines } from "../host/exec.ts";
import { heldLocks } from "../host/lock.ts";
import {
  endMaintenance,
  readMaintenance,
  startMaintenance,
} from "../host/maintenance.ts";
import type { StatePaths } from "../host/paths.ts";
import { statePaths } from "../host/paths.ts";
import { openDatabase } from "../state/database.ts";
import {
  danglingRows,
  integrityProblems,
  numbersGiven,
  storedArtifacts,
  wakeRestored,
} from "../state/snapshot.ts";
import type { BackupManifest } from "./backup.ts";

/** What a restore works with; the state itself may not be there. */
export interface RestoreRequest {
  readonly paths: StatePaths;
  readonly actor: string;
  readonly file: string;
  /** Restore also what does not have its digest, or is missing. */
  readonly despiteDamage: boolean;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface Restored {
  readonly file: string;
  readonly manifest: BackupManifest;
  /** Where the state is that was there before, or null. */
  readonly setAside: string | null;
  readonly artifacts: number;
  readonly damaged: readonly string[];
}

/** Top-level entries that are the state; what else there is (layers, backups, log, run) stays. */
const stateFiles = [
  "state.sqlite",
  "state.sqlite-wal",
  "state.sqlite-shm",
] as const;
const entries = {
  database: [...stateFiles, "scratch"],
  full: [
    ...stateFiles,
    "scratch",
    "store",
    "archive",
    "aptly",
    "ppa",
    "gnupg",
    "uploaders",
    "report",
  ],
} as const;

/** Where a restore has got to, in .restore/journal.json: what is written there, another run goes on with. */
interface Journal {
  readonly phase: "unpacking" | "setting-aside" | "placing";
  readonly file: string;
  readonly setAside: string;
  readonly ownMaintenance: boolean;
  readonly manifest: BackupManifest | null;
  readonly artifacts: number;
  readonly damaged: readonly string[];
}

const work = (paths: StatePaths) => join(paths.root, ".restore");
const journalFile = (paths: StatePaths) => join(work(paths), "journal.json");

/** What a restore would do, a line each; checks what can be checked without changing anything. */
export async function planRestore(
  request: RestoreRequest,
): Promise<{ plan: string[]; manifest: BackupManifest }> {
  const { paths, file } = request;
  const manifest = await readManifest(file);
  checkPlace(paths);
  const old = existing(paths, manifest.kind);
  return {
    manifest,
    plan: [
      `unpack ${file}, a ${manifest.kind} backup of ${manifest.made_at}, and check every file's digest`,
      ...(old.length === 0
        ? []
        : [`set ${old.join(", ")} of ${paths.root} aside`]),
      "put the state in place",
      "start tickets in flight over: their PPAs are filled again",
    ],
  };
}

/**
 * Makes the state what a backup says it was. Nothing of the state that is there changes before all of
 * the backup is unpacked and every file has its digest; then the old state is set aside, not deleted,
 * and the new one takes its place. Killed at any instant, the same command goes on.
 *
 * @throws UbuntuCiError (2) for something that is no backup, or when a state is there and maintenance
 *   is off; (75) when something runs, or files are damaged
 */
export async function restore(request: RestoreRequest): Promise<Restored> {
  const { paths, actor, file, say } = request;
  let journal = await readJournal(paths);
  if (journal !== null && journal.phase !== "unpacking") {
    say(`going on with the restore of ${journal.file}`);
  } else {
    checkPlace(paths);
    await mkdir(work(paths), { recursive: true, mode: 0o700 });
    const ownMaintenance =
      journal?.ownMaintenance ?? readMaintenance(paths.maintenance) === null;
    journal = {
      phase: "unpacking",
      file,
      setAside: join(paths.setAside, `restore-${now().replaceAll(":", "-")}`),
      ownMaintenance,
      manifest: null,
      artifacts: 0,
      damaged: [],
    };
    await writeJournal(paths, journal);
    // An empty folder, too: cron must not find half a state.
    if (ownMaintenance)
      startMaintenance(paths.maintenance, actor, `restore of ${file}`);
    try {
      journal = await unpackAndCheck(request, journal);
    } catch (thrown) {
      await rm(work(paths), { recursive: true, force: true });
      if (ownMaintenance) endMaintenance(paths.maintenance);
      throw thrown;
    }
    await writeJournal(paths, journal);
  }
  return finish(paths, journal);
}

async function unpackAndCheck(
  request: RestoreRequest,
  journal: Journal,
): Promise<Journal> {
  const { paths, file, actor, say } = request;
  const manifest = await readManifest(file);
  const made = statePaths(join(work(paths), "new"));
  await rm(made.root, { recursive: true, force: true });
  await mkdir(made.root, { mode: 0o700 });
  say(`looking at ${file}`);
  await checkMembers(file, manifest, join(work(paths), "members"));
  say(`unpacking ${file}`);
  await unpack(request, made.root);
  await closeToOthers(made.gnupg);
  say("checking every file's digest");
  // Files that a database alone names are those of the state that is there.
  const store = manifest.kind === "full" ? made.store : paths.store;
  const db = openDatabase(made.database);
  try {
    const problems = [...integrityProblems(db), ...danglingRows(db)];
    if (problems.length > 0)
      throw damagedBackup(
        file,
        problems.map((message) => ({ where: "state.sqlite", message })),
      );
    const known = new Set(manifest.missing);
    let artifacts = 0;
    const damaged: { where: string; message: string }[] = [];
    for (const artifact of storedArtifacts(db)) {
      artifacts += 1;
      const where = `${artifact.container}/${artifact.name}`;
      const message = await faultOf(join(store, where), artifact);
      if (message === undefined) continue;
      damaged.push({
        where,
        message: known.has(where)
          ? "was missing when the backup was made"
          : message,
      });
    }
    if (manifest.kind === "full") {
      const faults = await inspectRevisions(revisionTree(made.archive), true);
      damaged.push(
        ...faults
          .filter(({ kind }) => isDamage(kind))
          .map(({ where, what }) => ({ where, message: what })),
      );
    }
    const worse = damaged.filter(({ where }) => !known.has(where));
    if (worse.length > 0 && !request.despiteDamage)
      throw damagedBackup(file, worse);
    wakeRestored(
      db,
      actor,
      `restored from ${file}, a backup of ${manifest.made_at}`,
      numbersGiven(paths.database) ?? {},
    );
    return {
      ...journal,
      phase: "setting-aside",
      manifest,
      artifacts,
      damaged: damaged.map(({ where, message }) => `${where}: ${message}`),
    };
  } finally {
    db.close();
  }
}

function isDamage(kind: ArchiveFault["kind"]): boolean {
  return kind !== "unreferenced" && kind !== "half-made";
}

/** Moves the old state aside and the new one into its place; can be done again from any instant. */
async function finish(paths: StatePaths, journal: Journal): Promise<Restored> {
  const { manifest, setAside, file, artifacts, damaged } = journal;
  if (manifest === null) throw new RangeError("the journal has no manifest");
  const made = join(work(paths), "new");
  if (journal.phase === "setting-aside") {
    for (const name of entries[manifest.kind])
      await moveAside(join(paths.root, name), setAside, name);
    await writeJournal(paths, { ...journal, phase: "placing" });
  }
  // The state file last: without it there is no state.
  const names = [...entries[manifest.kind]].reverse();
  for (const name of names) {
    const from = join(made, name);
    if (!existsSync(from)) continue;
    // A reading command makes an empty state file where there is none.
    const there = name === "state.sqlite" ? [...stateFiles] : [name];
    for (const one of there)
      await moveAside(join(paths.root, one), setAside, one);
    await rename(from, join(paths.root, name));
  }
  if (journal.ownMaintenance) endMaintenance(paths.maintenance);
  await rm(work(paths), { recursive: true, force: true });
  return {
    file,
    manifest,
    setAside: existsSync(setAside) ? setAside : null,
    artifacts,
    damaged,
  };
}

async function moveAside(
  path: string,
  folder: string,
  name: string,
): Promise<void> {
  if ((await lstat(path).catch(() => undefined)) === undefined) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const place = join(folder, name);
  await rename(path, existsSync(place) ? besidePath(place) : place);
}

/** What of the state is there. */
function existing(paths: StatePaths, kind: BackupManifest["kind"]): string[] {
  return entries[kind].filter((name) => existsSync(join(paths.root, name)));
}

function checkPlace(paths: StatePaths): void {
  const running = heldLocks(paths.run).filter(
    ({ dead, pid }) => !dead && pid !== process.pid,
  );
  if (running.length > 0)
    throw notNow(
      `${running.map(({ name, pid }) => `${name} (process ${pid})`).join(", ")} is running`,
      "`ubuntu-ci maintenance wait` returns when nothing runs any more",
    );
  const there = existing(paths, "full").filter((name) => name !== "scratch");
  if (there.length > 0 && readMaintenance(paths.maintenance) === null)
    throw refused(
      `${paths.root} holds a state: ${there.join(", ")}`,
      "`ubuntu-ci maintenance on` first, so that nothing starts; the old state is set aside",
    );
}

/** The first member of a backup. @throws UbuntuCiError (2) when it is none */
export async function readManifest(file: string): Promise<BackupManifest> {
  try {
    await access(file);
  } catch (thrown) {
    throw refused(
      `${file} cannot be read: ${messageOf(thrown)}`,
      "the owner of the state folder has to be able to",
    );
  }
  const read = await exec(
    [
      ...["tar", "--extract", "--zstd", "--to-stdout", "--occurrence=1"],
      ...[`--file=${resolve(file)}`, "manifest.json"],
    ],
    { cwd: "/" },
  );
  if (read.exitCode !== 0)
    throw refused(
      `${file} is no backup of ubuntu-ci: tar ${describeEnd(read)}: ${lastLines(read.stderr, 1)}`,
    );
  let found: Partial<BackupManifest>;
  try {
    found = JSON.parse(read.stdout) as Partial<BackupManifest>;
  } catch {
    throw refused(`${file} is no backup of ubuntu-ci: its manifest is no JSON`);
  }
  const { format, kind, made_at, missing } = found;
  if ((format as number) !== 1)
    throw refused(
      `${file} was made by a newer version (format ${String(format)})`,
      "use that version",
    );
  if (
    (kind !== "full" && kind !== "database") ||
    typeof made_at !== "string" ||
    !Array.isArray(missing)
  )
    throw refused(
      `${file} is no backup of ubuntu-ci: its manifest is not ours`,
    );
  return found as BackupManifest;
}

/** One line of GNU tar's listing: type, name and, of a link, where it leads. */
const line = /^(.)\S+ +[0-9]+\/[0-9]+ +[0-9]+ [0-9-]+ [0-9:]+ (.*)$/;
const allowed: Readonly<Record<BackupManifest["kind"], RegExp>> = {
  database: /^(?:manifest\.json|configuration|state\.sqlite)$/,
  full: /^(?:manifest\.json|configuration|state\.sqlite|(?:gnupg|uploaders|archive)\/?|(?:gnupg|uploaders|store|archive\/pool|archive\/\.revisions)\/.+)$/,
};
const links =
  /^archive\/dists -> \.revisions\/[0-9]+\/dists$|^archive\/\.revisions\/[0-9]+\/pool -> \.\.\/\.\.\/pool$/;

/**
 * Looks at the name and type of every member before anything is unpacked.
 *
 * @throws UbuntuCiError (2) when one has no place in a backup: it could reach out of the folder
 */
async function checkMembers(
  file: string,
  { kind }: BackupManifest,
  listing: string,
): Promise<void> {
  await rm(listing, { force: true });
  const listed = await exec(
    [
      ...["tar", "--list", "--verbose", "--zstd", "--numeric-owner"],
      ...["--quoting-style=escape", `--file=${resolve(file)}`],
    ],
    { cwd: "/", logFile: listing, env: { LC_ALL: "C", TZ: "UTC" } },
  );
  if (listed.exitCode !== 0) {
    const said = (await readFile(listing, "utf8")).slice(-2000);
    throw refused(
      `${file} is damaged: tar ${describeEnd(listed)}: ${lastLines(said, 1)}`,
      "use another backup",
    );
  }
  const problems: { where: string; message: string }[] = [];
  for await (const text of createInterface({
    input: createReadStream(listing),
  })) {
    const [, type, name = ""] = line.exec(text) ?? [];
    const message = faultOfMember(type, name, kind);
    if (message !== undefined && problems.length < 20)
      problems.push({ where: name === "" ? text : name, message });
  }
  if (problems.length > 0)
    throw refusedWith(
      `${file} is no backup of ubuntu-ci: it has members that have no place in one`,
      problems,
    );
}

function faultOfMember(
  type: string | undefined,
  name: string,
  kind: BackupManifest["kind"],
): string | undefined {
  if (type === "l")
    return kind === "full" && links.test(name)
      ? undefined
      : "is a link to somewhere else";
  if (type !== "-" && type !== "d") return "is neither a file nor a folder";
  const parts = name.replace(/\/$/, "").split("/");
  if (name.startsWith("/") || parts.includes(".."))
    return "leads out of the folder";
  return allowed[kind].test(name) ? undefined : "is nothing that we back up";
}

async function unpack(
  { file, signal }: RestoreRequest,
  folder: string,
): Promise<void> {
  const unpacked = await exec(
    [
      ...["setpriv", "--pdeathsig", "KILL", "--"],
      ...["tar", "--extract", "--zstd", "--no-same-owner"],
      ...["--no-same-permissions", "--keep-old-files"],
      ...[`--directory=${folder}`, `--file=${resolve(file)}`],
    ],
    { cwd: "/", signal },
  );
  if (unpacked.exitCode !== 0)
    throw notNow(
      `tar ${describeEnd(unpacked)}: ${lastLines(unpacked.stderr)}`,
      "make room on the disk, and run it again",
    );
}

/** The signing key is this user's alone, whatever the file says. */
async function closeToOthers(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await closeToOthers(path);
    else await chmod(path, 0o600);
  }
}

async function faultOf(
  path: string,
  { size, sha256 }: { readonly size: number; readonly sha256: string },
): Promise<string | undefined> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return "is not there";
  if (!found.isFile()) return "is no plain file";
  if (found.size !== size) return `has ${found.size} bytes, not ${size}`;
  const digest = await digestFile(path);
  return digest.sha256 === sha256
    ? undefined
    : `has the sha256 ${digest.sha256}, not ${sha256}`;
}

function damagedBackup(
  file: string,
  problems: readonly { where: string; message: string }[],
): UbuntuCiError {
  return new UbuntuCiError(
    `${file} was not restored: ${problems.length} of its files are damaged`,
    {
      exitCode: ExitCode.notNow,
      hint: "use another backup, or take this one as it is with --despite-damage",
      problems: problems.slice(0, 50),
    },
  );
}

async function readJournal(paths: StatePaths): Promise<Journal | null> {
  try {
    return JSON.parse(await readFile(journalFile(paths), "utf8")) as Journal;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw thrown;
  }
}

async function writeJournal(
  paths: StatePaths,
  journal: Journal,
): Promise<void> {
  await writeFileAtomic(journalFile(paths), `${JSON.stringify(journal)}\n`);
}
