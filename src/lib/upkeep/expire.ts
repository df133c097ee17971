import { rmdirSync, rmSync } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";

import type { Plan } from "../domain/plan.ts";
import { possibleNames } from "../domain/published-name.ts";
import { deadLocks } from "../locks/lock.ts";
import { freeDeadLock } from "../locks/lock-slots.ts";
import { deadInWords } from "../locks/lock-holder.ts";
import { isUnfinished } from "../files/atomic-file.ts";
import { letSignalsIn } from "../host/let-signals-in.ts";
import { childPath } from "../host/paths.ts";
import { forgetDeps } from "../backends/builder/known-deps.ts";
import type { Layer, LayerKind } from "../session/layer.ts";
import {
  abandonedLayers,
  removeLayer,
  surveyLayers,
} from "../session/abandoned-layers.ts";
import { removeTree } from "../session/remove-tree.ts";
import { isAbandoned } from "../files/own-folder.ts";
import { namesIn } from "../files/names-in.ts";
import type { SettingKey } from "../config/settings.ts";
import { crashPoint } from "../files/crash-point.ts";
import type { Connection } from "../state/database.ts";
import { recordEvent } from "../state/events.ts";
import { promotedRevisions } from "../state/promotions.ts";
import { listPpas, releasable, releaseEnded } from "../state/ppas.ts";
import { openRuns } from "../state/leases.ts";
import type { DueFiles, ExpiredFile, ExpiryKind } from "../state/retention.ts";
import {
  basesInUse,
  dueFiles,
  expiringFiles,
  imageLayersInUse,
  markExpired,
  removeExpired,
} from "../state/retention.ts";
import { backupKind } from "./backup/manifest.ts";
import { cleanPpas } from "../engine/clean-ppas.ts";
import type { Engine, LocalEngine } from "../engine/engine.ts";
import { abandonedFolders, abandonedOutside } from "./abandoned-folders.ts";

/** What the settings say is to be removed now. Paths are absolute. */
export interface ExpiryPlan extends Plan {
  readonly artifacts: readonly (DueFiles & {
    readonly before: string;
    readonly why: string;
  })[];
  /** Tickets with files that a killed run marked and did not remove. */
  readonly unfinished: readonly number[];
  /** PPAs to empty: released ones, and those of ended tickets. */
  readonly ppas: readonly string[];
  readonly folders: readonly string[];
  /** Names of locks that dead processes hold. */
  readonly locks: readonly string[];
  readonly layers: readonly string[];
  readonly revisions: readonly number[];
  readonly files: readonly string[];
}

type DaysKey = Extract<SettingKey, `expire.${string}Days`>;

const daysOf: Readonly<Record<ExpiryKind, DaysKey>> = {
  images: "expire.imagesDays",
  logs: "expire.logsDays",
  results: "expire.resultsDays",
  files: "expire.filesDays",
};

const dayMs = 24 * 60 * 60_000;

/** Finds what the settings say is to be removed now. */
export async function planExpiry(engine: Engine): Promise<ExpiryPlan> {
  const { db, paths, config } = engine;
  const artifacts = (Object.entries(daysOf) as [ExpiryKind, DaysKey][]).flatMap(
    ([kind, key]) => {
      const days = config.get(key);
      const before = daysAgo(days);
      return before === null
        ? []
        : dueFiles(db, kind, before).map((due) => ({
            ...due,
            before,
            why: `older than ${days} days`,
          }));
    },
  );
  const marked = expiringFiles(db, 1000).map(({ ticket }) => ticket);
  const found = {
    artifacts,
    unfinished: [...new Set(marked)],
    ppas: unneededPpas(db),
    folders: [...(await abandonedFolders(db, paths)), ...abandonedOutside()],
    locks: deadLocks(paths.run),
    layers: await unneededLayers(engine),
    revisions: await oldRevisions(engine),
    files: [
      ...(await oldBackups(engine)),
      ...(await oldStateCopies(engine)),
      ...(await unfinishedNotes(paths.run)),
    ],
  };
  const actions = inWords(found).map((what) => `remove ${what}`);
  return { command: "expire", actions, ...found };
}

function inWords(plan: Omit<ExpiryPlan, keyof Plan>): string[] {
  return [
    ...plan.unfinished.map(
      (ticket) => `ticket ${ticket}: files of an earlier run that was ended`,
    ),
    ...plan.artifacts.map(
      ({ ticket, kind, files, size, why }) =>
        `ticket ${ticket}: ${files} ${kind}, ${size} bytes, ${why}`,
    ),
    ...plan.ppas.map((name) => `contents of PPA ${name}`),
    ...plan.revisions.map((revision) => `archive revision ${revision}`),
    ...plan.layers.map((name) => `layer ${name}`),
    ...plan.locks.map((name) => `the lock of a dead ${name}`),
    ...plan.folders,
    ...plan.files,
  ];
}

/**
 * Removes what a plan says, except for what is needed again since. If it is killed, the next run
 * continues: a row is marked before its file is removed, and stays marked until the file is gone.
 */
export async function expire(
  engine: LocalEngine,
  plan: ExpiryPlan,
  signal: AbortSignal,
): Promise<void> {
  const { db, paths, actor, backends } = engine;
  for (const due of plan.artifacts) {
    await letSignalsIn(signal);
    markExpired(db, actor, due, due.before, due.why);
  }
  crashPoint("expire.marked");
  await removeExpired(db, (file) => removeStored(engine, file), signal);
  if (plan.revisions.length > 0) {
    await (await backends.archive()).removeRevisions(plan.revisions);
    recordEvent(db, {
      actor,
      subject: "archive",
      subject_id: "archive",
      what: "expired",
      why: `revisions ${plan.revisions.join(", ")}`,
    });
  }
  if (plan.ppas.length > 0) {
    releaseEnded(db, undefined, actor);
    await cleanPpas(engine);
  }
  // A ticket may have been retried since the plan was made.
  const unneeded = new Set(await unneededLayers(engine));
  for (const name of plan.layers) {
    signal.throwIfAborted();
    if (!unneeded.has(name)) continue;
    await removeLayer(paths.layers, name);
    if (name.startsWith("base-"))
      recordEvent(db, {
        actor,
        subject: "base",
        subject_id: name,
        what: "expired",
        why: "nothing uses it",
      });
  }
  const forget = daysAgo(engine.config.get("expire.layersDays"));
  if (forget !== null) await forgetDeps(paths.layers, Date.parse(forget));
  await freeLocks(engine, plan.locks);
  for (const folder of plan.folders) {
    signal.throwIfAborted();
    await removeTree(folder);
  }
  for (const file of plan.files) await rm(file, { force: true });
}

/** Releases locks of dead processes, and records it. */
async function freeLocks(
  { db, paths, actor }: Engine,
  names: readonly string[],
): Promise<void> {
  for (const name of names)
    await freeDeadLock(paths.run, name, (dead) =>
      recordEvent(db, {
        actor,
        subject: "lock",
        subject_id: name,
        what: "taken over",
        why: deadInWords(dead),
      }),
    );
}

/**
 * Removes a file from the data store, and from the report, whose hard link would keep its space
 * occupied. It is synchronous, so that it can be called in a transaction.
 */
export function removeStored(
  { paths, store }: Pick<LocalEngine, "paths" | "store">,
  file: ExpiredFile,
): void {
  const { ticket, container, name } = file;
  rmSync(store.pathOf(file), { force: true });
  const shown = join(paths.report, "tickets", String(ticket), "files");
  for (const published of possibleNames(name))
    rmSync(childPath(shown, published), { force: true });
  try {
    rmdirSync(store.folderOf(container));
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "ENOENT") throw thrown;
  }
}

/** The time that many days ago, as ISO 8601; null for 0, which means never. */
function daysAgo(days: number): string | null {
  return days === 0 ? null : new Date(Date.now() - days * dayMs).toISOString();
}

function unneededPpas(db: Connection): string[] {
  const given = listPpas(db).filter(
    ({ state }) => state === "dirty" || state === "cleaning",
  );
  return [...given.map(({ name }) => name), ...releasable(db)].sort();
}

/** Names of layers that nothing refers to any more, including incomplete ones of killed processes. */
async function unneededLayers({
  db,
  paths,
  config,
}: Engine): Promise<string[]> {
  const since = daysAgo(config.get("expire.layersDays"));
  const imagesSince = daysAgo(config.get("expire.imageLayersDays"));
  const { whole } = await surveyLayers(paths.layers);
  const ofKind = (kind: LayerKind) => whole.filter((one) => one.kind === kind);
  const gone = new Set<Layer>();
  if (imagesSince !== null) {
    const running = new Set(openRuns(db).map(({ ticket }) => ticket));
    const used = imageLayersInUse(db, imagesSince);
    for (const layer of ofKind("image"))
      if (!used.has(layer.name) && !running.has(ticketOfImage(layer.name)))
        gone.add(layer);
  }
  if (since !== null) {
    for (const layer of ofKind("build-deps")) {
      const record = join(paths.layers, layer.name, "layer.json");
      if ((await stat(record)).mtimeMs < Date.parse(since)) gone.add(layer);
    }
    const used = basesInUse(db, since);
    const below = new Set(
      whole.filter((one) => !gone.has(one)).flatMap((one) => one.below),
    );
    const bases = ofKind("base");
    // Superseded so long ago that nothing can be using it.
    const isSuperseded = ({ series, created_at }: Layer) =>
      bases.some(
        (other) =>
          other.series === series &&
          other.created_at > created_at &&
          other.created_at < since,
      );
    for (const base of bases)
      if (
        isSuperseded(base) &&
        !used.has(base.name) &&
        !used.has(base.digest) &&
        !below.has(base.name)
      )
        gone.add(base);
  }
  return [
    ...(await abandonedLayers(paths.layers)),
    ...[...gone].map(({ name }) => name),
  ];
}

/** The ticket in the name of an image's layer: image-ticket.N-DIGEST. */
export function ticketOfImage(layer: string): number {
  return Number(/^image-ticket\.([0-9]+)-/.exec(layer)?.[1] ?? 0);
}

async function oldRevisions({
  db,
  backends,
  config,
}: Engine): Promise<number[]> {
  const before = daysAgo(config.get("expire.revisionsDays"));
  if (before === null) return [];
  const archive = await backends.archive();
  const kept = await archive.revisions({
    newest: config.get("expire.revisions"),
  });
  const [oldestKept, current] = [kept[0], kept.at(-1)];
  if (oldestKept === undefined || current === undefined) return [];
  const promoted = promotedRevisions(db);
  return (await archive.revisions({ before }))
    .map(({ revision }) => revision)
    .filter(
      (revision) =>
        revision < oldestKept.revision &&
        revision !== current.revision &&
        revision !== current.reverts_to &&
        !promoted.includes(revision),
    );
}

async function oldBackups({ paths, config }: Engine): Promise<string[]> {
  const names = await namesIn(paths.backups);
  const kept = config.get("expire.backups");
  const old = (["full", "database"] as const).flatMap((kind) =>
    names.filter((name) => backupKind(name) === kind).slice(0, -kept),
  );
  const unfinished = names.filter(
    (name) => name.startsWith(".backup.") && isAbandoned(name) === true,
  );
  return [...old, ...unfinished].map((name) => join(paths.backups, name));
}

/** Temporary files beside the locks that killed processes left. */
async function unfinishedNotes(folder: string): Promise<string[]> {
  return (await namesIn(folder))
    .filter((name) => isUnfinished(name) && isAbandoned(name) === true)
    .map((name) => join(folder, name));
}

async function oldStateCopies({ paths, config }: Engine): Promise<string[]> {
  const copies = (await namesIn(paths.root)).flatMap((name) => {
    const number = /^state\.sqlite\.before-([0-9]+)$/.exec(name)?.[1];
    return number === undefined ? [] : [{ name, number: Number(number) }];
  });
  return copies
    .sort((a, b) => a.number - b.number)
    .slice(0, -config.get("expire.stateCopies"))
    .map(({ name }) => join(paths.root, name));
}
