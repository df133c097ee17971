import { builderOf, imagerOf } from "../backends/kinds.ts";
import type { WorkStepCode } from "../domain/step.ts";
import { imageStep, packagesStep } from "../domain/step.ts";
import type { Ticket } from "../domain/ticket.ts";
import { findBase } from "../session/find-layer.ts";
import type { Base } from "../session/layer.ts";
import { makeBase } from "../session/make-base.ts";
import { hadBase, recordEvent } from "../state/events.ts";
import type { Engine } from "./engine.ts";

/** Makes a new base of a series, which takes about a minute, and records it. */
export async function makeNewBase(
  engine: Pick<Engine, "db" | "paths" | "config" | "actor">,
  series: string,
): Promise<Base> {
  const base = await makeBase(engine.paths, series, engine.config);
  recordBase(engine, base);
  return base;
}

/** Records that a base was made. */
export function recordBase(
  { db, actor }: Pick<Engine, "db" | "actor">,
  { name, digest }: Base,
): void {
  recordEvent(db, {
    actor,
    subject: "base",
    subject_id: name,
    what: "made",
    why: digest,
  });
}

/**
 * A base can be made again when it is gone, or damaged: a step that needs one of the ticket's series does
 * so. Where there never was one, `init` has to make it.
 *
 * @param note says so
 */
export async function remakeBase(
  engine: Engine,
  step: WorkStepCode,
  { series, base_image: named }: Ticket,
  note: (line: string) => void,
): Promise<void> {
  const { db, config, paths } = engine;
  const needs =
    (step === packagesStep && builderOf(config).needsBase) ||
    (step === imageStep && imagerOf(config).needsBase && named === null);
  if (!needs || (await findBase(paths.layers, series)) !== undefined) return;
  if (!hadBase(db, series)) return;
  note(`the base of ${series} is gone: making it again (about a minute)`);
  await makeNewBase(engine, series);
}
