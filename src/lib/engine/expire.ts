import { rmdirSync, rmSync } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { childPath } from "../host/paths.ts";
import type { Layer } from "../host/session/layer.ts";
import {
  abandonedLayers,
  forgetDeps,
  removeLayer,
} from "../host/session/leftovers.ts";
import { listLayers } from "../host/session/layers.ts";
import { removeTree } from "../host/session/remove-tree.ts";
import { isAbandoned } from "../host/own-folder.ts";
import type { SettingKey } from "../domain/settings.ts";
import { recordEvent } from "../state/events.ts";
import { openRuns } from "../state/runs.ts";
import type { DueFiles, ExpiredFile, ExpiryKind } from "../state/retention.ts";
import {
  basesInUse,
  dueFiles,
  expiringFiles,
  imageLayersInUse,
  markExpired,
  removeExpired,
} from "../state/retention.ts";
import { backupKind } from "./backup.ts";
import type { Engine } from "./engine.ts";
import { abandonedFolders, namesIn } from "./leftovers.ts";

/** What the policy says is to go now, as data. Paths are absolute. */
export interface ExpiryPlan {
  readonly artifacts: readonly (DueFiles & {
    readonly before: string;
    readonly why: string;
  })[];
  /** Tickets with files that were marked by a run that was killed. */
  readonly unfinished: readonly number[];
  readonly folders: readonly string[];
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

/** What retention would remove now. */
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
  return {
    artifacts,
    unfinished: [...new Set(marked)],
    folders: await abandonedFolders(db, paths),
    layers: [
      ...(await abandonedLayers(paths.layers)),
      ...(await unusedLayers(engine)),
    ],
    revisions: await oldRevisions(engine),
    files: [...(await oldBackups(engine)), ...(await oldStateCopies(engine))],
  };
}

/** A plan in words, a line each. */
export function describeExpiry(plan: ExpiryPlan): string[] {
  return [
    ...plan.unfinished.map(
      (ticket) => `ticket ${ticket}: files of an earlier run that was ended`,
    ),
    ...plan.artifacts.map(
      ({ ticket, kind, files, size, why }) =>
        `ticket ${ticket}: ${files} ${kind}, ${size} bytes, ${why}`,
    ),
    ...plan.revisions.map((revision) => `archive revision ${revision}`),
    ...plan.layers.map((name) => `layer ${name}`),
    ...plan.folders,
    ...plan.files,
  ];
}

/**
 * Removes what a plan says, as far as it still holds. Killed at any instant, the next run goes on: a
 * row is marked before its file is removed, and stays marked for removal until that is done.
 *
 * @returns how many files of the data store are gone
 */
export async function expire(
  engine: Engine,
  plan: ExpiryPlan,
): Promise<number> {
  const { db, paths, actor, backends } = engine;
  for (const due of plan.artifacts)
    markExpired(db, actor, due, due.before, due.why);
  const removed = removeExpired(db, (file) => removeStored(engine, file));
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
  for (const name of plan.layers) {
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
  for (const folder of plan.folders) await removeTree(folder);
  for (const file of plan.files) await rm(file, { force: true });
  return removed;
}

/** Removes a file from the store and the report, whose link would keep its space taken. */
export function removeStored(
  { paths }: Pick<Engine, "paths">,
  { ticket, container, name }: ExpiredFile,
): void {
  const folder = childPath(paths.store, container);
  rmSync(childPath(folder, name), { force: true });
  const shown = join(paths.report, "tickets", String(ticket), "files");
  rmSync(childPath(shown, name), { force: true });
  try {
    rmdirSync(folder);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "ENOENT") throw thrown;
  }
}

/** That many days before now, ISO 8601; null for 0, which is never. */
function daysAgo(days: number): string | null {
  return days === 0 ? null : new Date(Date.now() - days * dayMs).toISOString();
}

async function unusedLayers({ db, paths, config }: Engine): Promise<string[]> {
  const since = daysAgo(config.get("expire.layersDays"));
  const imagesSince = daysAgo(config.get("expire.imageLayersDays"));
  const images = await listLayers(paths.layers, "image");
  const deps = await listLayers(paths.layers, "build-deps");
  const bases = await listLayers(paths.layers, "base");
  const running = new Set(openRuns(db).map(({ ticket }) => ticket));
  const gone: Layer[] = [];
  if (imagesSince !== null) {
    const used = imageLayersInUse(db, imagesSince);
    gone.push(
      ...images.filter(
        ({ name }) => !used.has(name) && !running.has(ticketOf(name)),
      ),
    );
  }
  if (since !== null) {
    for (const layer of deps) {
      const { mtimeMs } = await stat(
        join(paths.layers, layer.name, "layer.json"),
      );
      if (mtimeMs < Date.parse(since)) gone.push(layer);
    }
    const used = basesInUse(db, since);
    const below = new Set(
      [...images, ...deps]
        .filter((layer) => !gone.includes(layer))
        .flatMap((layer) => layer.below),
    );
    gone.push(
      ...bases.filter(
        (base) =>
          base.created_at < since &&
          !used.has(base.name) &&
          !used.has(base.digest) &&
          !below.has(base.name) &&
          bases.some(
            (other) =>
              other.series === base.series &&
              other.created_at > base.created_at,
          ),
      ),
    );
  }
  return gone.map(({ name }) => name);
}

/** The ticket that an image's layer is of: image-ticket.N-DIGEST. */
export function ticketOf(layer: string): number {
  return Number(/^image-ticket\.([0-9]+)-/.exec(layer)?.[1] ?? 0);
}

async function oldRevisions({ backends, config }: Engine): Promise<number[]> {
  const before = daysAgo(config.get("expire.revisionsDays"));
  if (before === null) return [];
  const archive = await backends.archive();
  const revisions = await archive.revisions();
  if (revisions.length === 0) return [];
  const current = await archive.current();
  return revisions
    .slice(0, -config.get("expire.revisions"))
    .filter(
      ({ revision, created_at }) =>
        created_at < before &&
        revision !== current.revision &&
        revision !== current.reverts_to,
    )
    .map(({ revision }) => revision);
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
