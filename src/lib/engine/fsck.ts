import { existsSync, lstatSync, renameSync, rmSync, mkdirSync } from "node:fs";
import { chmod, readdir, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

import { digestFile, isUnfinished } from "../host/atomic-file.ts";
import { now } from "../host/clock.ts";
import { isAbandoned } from "../host/own-folder.ts";
import {
  abandonedLayers,
  brokenLayers,
  removeLayer,
} from "../host/session/leftovers.ts";
import { listLayers } from "../host/session/layers.ts";
import { removeTree } from "../host/session/remove-tree.ts";
import {
  activity,
  artifactAt,
  expiredArtifacts,
  inOneInstant,
  isPublished,
  newestRevision,
  stillRunning,
  waitAgain,
} from "../state/inspection.ts";
import { recordEvent } from "../state/events.ts";
import { listPpas, releasable, releaseEnded } from "../state/ppas.ts";
import { recordPublication } from "../state/publications.ts";
import { imageLayersInUse, removeExpired } from "../state/retention.ts";
import { imageOf } from "../state/runs.ts";
import {
  danglingRows,
  integrityProblems,
  startOver,
  stepOfTicket,
  storedArtifacts,
} from "../state/snapshot.ts";
import type { Engine } from "./engine.ts";
import { giveUpDeadRuns } from "./engine.ts";
import { removeStored, ticketOf } from "./expire.ts";
import { abandonedFolders, namesIn } from "./leftovers.ts";

/** Something that is not as it should be. */
export interface Finding {
  /** Which look found it: state, store, archive, ppa, run, layer, scratch, key. */
  readonly check: string;
  readonly what: string;
  /** A path, or the ticket or row it is about. */
  readonly where: string;
  /** What to do, or what was done. */
  readonly remedy: string;
  /** Whether `--mend` puts it right. */
  readonly mendable: boolean;
  readonly mended: boolean;
}

interface Found extends Omit<Finding, "mendable" | "mended"> {
  readonly mend?: () => unknown;
}

interface Options {
  readonly mend: boolean;
  /** Read every file, instead of its size alone. */
  readonly digests: boolean;
}

const withMend = "`ubuntu-ci fsck --mend`";
const fromBackup = "take it from a backup (`ubuntu-ci restore`)";

/**
 * Looks at the state, and whether what is on disk agrees with it; with `mend`, puts right what can be
 * put right without losing anything: what no row speaks of is moved to STATE/set-aside, only
 * what killed processes left unfinished is removed.
 */
export async function fsck(
  engine: Engine,
  options: Options,
): Promise<Finding[]> {
  const { db } = engine;
  const broken = integrityProblems(db);
  if (broken.length > 0)
    return broken.map((what) => damagedState(engine, what));
  const aside = join(
    engine.paths.setAside,
    `fsck-${now().replaceAll(":", "-")}`,
  );
  const findings: Finding[] = [];
  for (const look of [
    rows,
    runs,
    artifacts,
    strayFiles,
    archive,
    ppas,
    layers,
    folders,
    key,
  ]) {
    for (const { mend, ...found } of await look(engine, options, aside)) {
      const mended = options.mend && mend !== undefined;
      if (mended) await mend();
      findings.push({ ...found, mendable: mend !== undefined, mended });
    }
  }
  const mended = findings.filter((finding) => finding.mended);
  if (mended.length > 0)
    recordEvent(db, {
      actor: engine.actor,
      subject: "state",
      subject_id: "fsck",
      what: "mended",
      why: `${mended.length} findings: ${[...new Set(mended.map(({ check }) => check))].join(", ")}`,
    });
  return findings;
}

/** The finding for a state file that SQLite itself finds damaged; nothing else can be relied on then. */
export function damagedState(
  { paths }: Pick<Engine, "paths">,
  what: string,
): Finding {
  return {
    check: "state",
    what,
    where: paths.database,
    remedy: `the file is damaged: ${fromBackup}`,
    mendable: false,
    mended: false,
  };
}

function rows({ db, paths }: Engine): Promise<Found[]> {
  return Promise.resolve(
    danglingRows(db).map((what) => ({
      check: "state",
      what,
      where: paths.database,
      remedy: `rows are missing: ${fromBackup}`,
    })),
  );
}

function runs(engine: Engine): Promise<Found[]> {
  const { db, actor } = engine;
  const { dead, stuck } = activity(db);
  const why = "found running with no run (fsck)";
  return Promise.resolve([
    ...dead.map(({ id, ticket, pid, host }) => ({
      check: "run",
      what: `run ${id} is open and its process ${pid} on ${host} is gone`,
      where: `ticket ${ticket}`,
      remedy: "the next run at its step gives it up",
      mend: () => giveUpDeadRuns(engine),
    })),
    ...stuck.map((ticket) => ({
      check: "run",
      what: "it is running, and there is no run",
      where: `ticket ${ticket}`,
      remedy: `${withMend} makes it wait for its turn again`,
      mend: () => waitAgain(db, actor, ticket, why),
    })),
    ...releasable(db).map((name) => ({
      check: "ppa",
      what: `${name} is reserved by a ticket that has ended`,
      where: name,
      remedy: "`ubuntu-ci release-ppa` gives it back",
      mend: () => releaseEnded(db, undefined, actor),
    })),
  ]);
}

async function artifacts(
  engine: Engine,
  { digests }: Options,
): Promise<Found[]> {
  const { db, paths } = engine;
  const found: Found[] = [];
  for (const artifact of storedArtifacts(db)) {
    const { id, ticket, container, name, size, sha256 } = artifact;
    const where = join(paths.store, container, name);
    const fault = async () => {
      const file = lstatSync(where, { throwIfNoEntry: false });
      if (file === undefined) return "there is a row and no file";
      if (!file.isFile()) return "it is no plain file";
      if (file.size !== size) return `it has ${file.size} bytes, not ${size}`;
      if (!digests) return undefined;
      const digest = (await digestFile(where)).sha256;
      return digest === sha256
        ? undefined
        : `its sha256 is ${digest}, not ${sha256}`;
    };
    const what = await fault();
    // A step that is at work replaces files before it records them; retention removes some.
    if (what === undefined || !artifactAt(db, container, name).has(id))
      continue;
    if (stillRunning(db, ticket)) continue;
    found.push({
      check: "store",
      what,
      where,
      remedy: `${fromBackup}, or have it made again: \`ubuntu-ci retry ${ticket}\``,
    });
  }
  for (const artifact of expiredArtifacts(db)) {
    const where = join(paths.store, artifact.container, artifact.name);
    if (!existsSync(where)) continue;
    found.push({
      check: "store",
      what: "it expired, and is still there",
      where,
      remedy: `${withMend} removes it`,
      mend: () =>
        inOneInstant(db, () => {
          if (!stillRunning(db, artifact.ticket))
            removeStored(engine, artifact);
        }),
    });
  }
  if (found.some(({ mend }) => mend !== undefined))
    found.push({
      check: "store",
      what: "retention was ended before it was done",
      where: paths.store,
      remedy: "`ubuntu-ci expire` goes on",
      mend: () => removeExpired(db, (file) => removeStored(engine, file)),
    });
  return found;
}

async function strayFiles(
  { db, paths }: Engine,
  _options: Options,
  aside: string,
): Promise<Found[]> {
  const found: Found[] = [];
  for (const container of await namesIn(paths.store)) {
    const folder = join(paths.store, container);
    const ticket = Number(/^ticket\.([0-9]+)(?:\.|$)/.exec(container)?.[1]);
    if (!(await stat(folder)).isDirectory() || Number.isNaN(ticket)) {
      found.push({
        check: "store",
        what: "it is no container of a ticket",
        where: folder,
        remedy: "look what it is, and move it away",
      });
      continue;
    }
    for (const name of await readdir(folder)) {
      const where = join(folder, name);
      const isStray = () =>
        !stillRunning(db, ticket) &&
        artifactAt(db, container, name).size === 0 &&
        lstatSync(where, { throwIfNoEntry: false }) !== undefined;
      // Whoever creates a ticket has its files in place before its rows can be seen.
      if (!isStray() || !inOneInstant(db, isStray)) continue;
      const unfinished = isUnfinished(name);
      found.push({
        check: "store",
        what: unfinished
          ? "a killed process left it half written"
          : "there is a file and no row",
        where,
        remedy: unfinished
          ? `${withMend} removes it`
          : `${withMend} moves it to ${aside}`,
        mend: () =>
          inOneInstant(db, () => {
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

async function archive(
  { db, paths, backends, actor }: Engine,
  { digests }: Options,
): Promise<Found[]> {
  const keeper = await backends.archive();
  const found: Found[] = [];
  for (const { kind, where, what, revision } of await keeper.inspect(digests)) {
    const common = { check: "archive", what, where };
    switch (kind) {
      case "half-made":
      case "unreferenced":
        found.push({
          ...common,
          remedy: `${withMend} removes it; a killed publication left it`,
          mend: () => keeper.removeRevisions([]),
        });
        break;
      case "broken-old":
        found.push({
          ...common,
          remedy: `${withMend} removes it: clients see another revision`,
          ...(revision !== undefined && {
            mend: () => keeper.removeRevisions([revision]),
          }),
        });
        break;
      case "broken":
      case "wrong-file":
        found.push({
          ...common,
          remedy: `${fromBackup}, or publish a higher version`,
        });
        break;
    }
  }
  if (found.some(({ mend }) => mend === undefined)) return found;
  if (!existsSync(join(paths.archive, "dists"))) return found;
  const current = await keeper.current();
  const newest = newestRevision(db);
  if (newest > current.revision)
    found.push({
      check: "archive",
      what: `the state knows revision ${newest}, the archive shows ${current.revision}`,
      where: join(paths.archive, "dists"),
      remedy: `the archive is older than the state: ${fromBackup}`,
    });
  // A ticket at its last step has published and will find that out itself.
  const maker =
    current.ticket === null ? 1000 : stepOfTicket(db, current.ticket);
  if (maker === undefined || maker >= 999) {
    for (const [series, publications] of Object.entries(current.publications)) {
      for (const { kind, name, version } of publications) {
        if (kind !== "source") continue;
        const { revision } = current;
        if (isPublished(db, { series, name, version, revision })) continue;
        found.push({
          check: "archive",
          what: `revision ${current.revision} has ${name} ${version} for ${series}, the state does not say so`,
          where: `revision ${current.revision}`,
          remedy: `${withMend} records it`,
          mend: () =>
            inOneInstant(db, () => {
              recordPublication(db, {
                revision: current.revision,
                series,
                source: name,
                version,
                ticket: maker === undefined ? null : current.ticket,
                created_at: current.created_at,
              });
              recordEvent(db, {
                actor,
                subject: "archive",
                subject_id: current.revision,
                what: "recorded",
                why: `${name} ${version} for ${series} (fsck)`,
              });
            }),
        });
      }
    }
  }
  return found;
}

async function ppas({ db, paths, backends, actor }: Engine): Promise<Found[]> {
  const keeper = await backends.archive();
  const known = listPpas(db);
  const names = new Set(known.map(({ name }) => name));
  const onDisk = new Set([
    ...(await namesIn(paths.ppa)),
    ...(await namesIn(paths.aptly)).filter(
      (name) => name !== "archive" && !name.startsWith("."),
    ),
  ]);
  const found: Found[] = [];
  for (const name of onDisk) {
    if (names.has(name)) continue;
    const ours = /^[a-z0-9][a-z0-9+._-]*$/.test(name);
    found.push({
      check: "ppa",
      what: `${name} is on disk and not in the pool`,
      where: join(paths.ppa, name),
      remedy: ours ? `${withMend} removes it` : "look what it is, and move it",
      ...(ours && { mend: () => keeper.clearPpa(name) }),
    });
  }
  for (const { name, state, ticket } of known) {
    if (state !== "reserved" || ticket === null) continue;
    const where = join(paths.ppa, name);
    const step = stepOfTicket(db, ticket) ?? 0;
    // At the steps before, it is made anew.
    if (existsSync(where) || step <= 200 || step >= 999) continue;
    if (stillRunning(db, ticket)) continue;
    found.push({
      check: "ppa",
      what: `the PPA of ticket ${ticket} is not there`,
      where,
      remedy: `${withMend} has it filled again from what is stored`,
      mend: () =>
        inOneInstant(db, () =>
          startOver(db, actor, ticket, "its PPA was gone (fsck)"),
        ),
    });
  }
  return found;
}

async function layers(
  { db, paths, actor }: Engine,
  { digests }: Options,
): Promise<Found[]> {
  const found: Found[] = [];
  const { inFlight } = activity(db);
  for (const name of [
    ...(await abandonedLayers(paths.layers)),
    ...(await brokenLayers(paths.layers)),
  ])
    found.push({
      check: "layer",
      what: "it is half made",
      where: join(paths.layers, name),
      remedy: `${withMend} removes it; it is made again when it is needed`,
      mend: () => removeLayer(paths.layers, name),
    });
  const all = [
    ...(await listLayers(paths.layers, "base")),
    ...(await listLayers(paths.layers, "build-deps")),
    ...(await listLayers(paths.layers, "image")),
  ];
  const names = new Set(all.map(({ name }) => name));
  const used = imageLayersInUse(db, "");
  for (const layer of all) {
    const where = join(paths.layers, layer.name);
    const missing = layer.below.filter((name) => !names.has(name));
    const stray =
      layer.kind === "image" &&
      !used.has(layer.name) &&
      !stillRunning(db, ticketOf(layer.name));
    if (missing.length > 0 || stray)
      found.push({
        check: "layer",
        what: stray
          ? "no ticket's image has it"
          : `the layer below it, ${missing.join(", ")}, is not there`,
        where,
        remedy: `${withMend} removes it`,
        mend: () => removeLayer(paths.layers, layer.name),
      });
    if (layer.kind !== "base" || !digests) continue;
    const tarball = join(where, "base.tar.zst");
    if (!existsSync(tarball)) continue;
    const { sha256 } = await digestFile(tarball);
    if (`sha256:${sha256}` !== layer.digest)
      found.push({
        check: "layer",
        what: `its tarball has the sha256 ${sha256}, not that of ${layer.digest}`,
        where: tarball,
        remedy: "`ubuntu-ci refresh-bases` makes a new one",
      });
  }
  for (const { id, step } of inFlight) {
    if (step !== 400 || stillRunning(db, id)) continue;
    const gone = (imageOf(db, id)?.layers ?? []).filter(
      (name) => name !== "fake" && !names.has(name),
    );
    if (gone.length === 0 || all.length === 0) continue;
    found.push({
      check: "layer",
      what: `ticket ${id} is to be tested on ${gone.join(", ")}, which is not there`,
      where: `ticket ${id}`,
      remedy: `${withMend} has its image made again`,
      mend: () =>
        inOneInstant(db, () =>
          startOver(db, actor, id, "its image was gone (fsck)"),
        ),
    });
  }
  return found;
}

async function folders({ db, paths }: Engine): Promise<Found[]> {
  const gone = await abandonedFolders(db, paths);
  const odd = (await namesIn(paths.scratch)).filter(
    (name) => !/^run\.[0-9]+$/.test(name) && isAbandoned(name) === undefined,
  );
  return [
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

async function key({ paths }: Engine): Promise<Found[]> {
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
