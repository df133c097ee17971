import { mkdirSync, readdirSync } from "node:fs";

import { bringBack, Damage, misconfigured } from "../domain/error.ts";
import { needsBases } from "../backends/kinds.ts";
import type { Plan } from "../domain/plan.ts";
import type { Config } from "../config/config.ts";
import { closeConfig } from "../config/config.ts";
import type { StatePaths } from "../host/paths.ts";
import { ifExistsSync, isThere } from "../files/optional-file.ts";
import { storedArtifacts } from "../state/snapshot.ts";
import { requireUploaders } from "../tickets/recorded-uploaders.ts";
import { findBase } from "../session/find-layer.ts";
import { lastEvent } from "../state/events.ts";
import { addPpa, listPpas } from "../state/ppas.ts";
import { isPpaName, pooledName } from "../domain/ppa-name.ts";
import { knownSeries } from "../tickets/known-series.ts";
import { makeNewBase, recordBase } from "../engine/bases.ts";
import { cleanPpas } from "../engine/clean-ppas.ts";
import type { Engine } from "../engine/engine.ts";
import { wantedSeries } from "./wanted-series.ts";

/**
 * Names of the PPAs that the pool is filled with.
 *
 * @throws UbuntuCiError (78) when `ppa.prefix` does not give valid names
 */
export function poolNames(config: Config): string[] {
  const prefix = config.get("ppa.prefix");
  const names = Array.from({ length: config.get("ppa.pool") }, (_, index) =>
    pooledName(prefix, index + 1),
  );
  const wrong = names.find((name) => !isPpaName(name));
  if (wrong !== undefined)
    throw misconfigured(
      `ppa.prefix: ${JSON.stringify(wrong)} is not the name of a PPA`,
      "it may have lower-case letters, digits, + . _ -",
    );
  return names;
}

/**
 * The series to make bases of: those named, else {@link wantedSeries}.
 *
 * @throws UbuntuCiError (78) when there is none
 */
export function seriesToInit(
  config: Config,
  named: readonly string[] | undefined,
): readonly string[] {
  const series = named ?? wantedSeries(config);
  if (series.length === 0)
    throw misconfigured(
      "this machine does not say its series",
      "name one with --series, or set `series`",
    );
  return series;
}

export interface InitPlan extends Plan {
  /** Series of the archive. */
  readonly archive: readonly string[];
  readonly pool: readonly string[];
  /** Series to have bases of; empty when the configured backends need no base. */
  readonly bases: readonly string[];
}

/** Plans `init` without opening the state, which may not exist yet. */
export function planInit(
  paths: StatePaths,
  config: Config,
  series: readonly string[],
): InitPlan {
  const known = knownSeries(paths, config);
  const names = ifExistsSync(() => readdirSync(paths.layers)) ?? [];
  const pool = poolNames(config);
  const bases = needsBases(config) ? series : [];
  return {
    command: "init",
    actions: [
      `make the state folder ${paths.root}, its signing key and an empty archive, unless they are there`,
      `put ${pool.join(", ")} in the pool, unless they are there`,
      ...bases
        .filter(
          (name) => !names.some((layer) => layer.startsWith(`base-${name}-`)),
        )
        .map((name) => `make the base of ${name} with mmdebstrap`),
    ],
    archive: [...new Set([...known, ...series])],
    pool,
    bases,
  };
}

/** Makes what is missing of the folders, signing key, archive, pool and bases. Can be repeated. */
export async function initialise(
  engine: Engine,
  plan: InitPlan,
  say: (line: string) => void,
): Promise<string[]> {
  const { db, paths, actor, backends } = engine;
  requireParts(engine);
  const { run, log, store, layers, scratch, uploaders } = paths;
  for (const folder of [run, log, store, layers, scratch, uploaders])
    mkdirSync(folder, { recursive: true });
  const done: string[] = [];
  const archive = await backends.archive();
  await archive.init(plan.archive);
  for (const name of plan.pool) {
    if (listPpas(db).some((ppa) => ppa.name === name)) continue;
    addPpa(db, name, actor);
    done.push(`PPA ${name}`);
  }
  await cleanPpas(engine);
  for (const name of plan.bases) {
    const base = await findBase(paths.layers, name);
    if (base === undefined)
      done.push(`base ${await baseOf(engine, name, say)}`);
    else if (lastEvent(db, "base", base.name) === undefined)
      recordBase(engine, base); // make-base-main, which made it, has no database
  }
  closeConfig(paths.root);
  return done;
}

/**
 * A part that is missing is only made where nothing refers to it.
 *
 * @throws Damage when the data store or the uploaders' keys are gone
 */
function requireParts({ db, paths }: Engine): void {
  requireUploaders(db, paths);
  const [known] = storedArtifacts(db);
  if (known === undefined || isThere(paths.store)) return;
  throw new Damage(
    `the data store ${paths.store} is missing: ${known.container}/${known.name} and others were in it`,
    bringBack,
  );
}

/** Makes new bases. Tickets in progress keep the ones that they began with. */
export async function refreshBases(
  engine: Engine,
  series: readonly string[],
  say: (line: string) => void,
): Promise<string[]> {
  const names: string[] = [];
  for (const name of series) names.push(await baseOf(engine, name, say));
  return names;
}

async function baseOf(
  engine: Engine,
  series: string,
  say: (line: string) => void,
): Promise<string> {
  say(`making the base of ${series} (about a minute)`);
  return (await makeNewBase(engine, series)).name;
}
