import { join } from "node:path";

import { digestFile } from "../../files/atomic-file.ts";
import type { Layer } from "../../session/layer.ts";
import {
  abandonedLayers,
  removeLayer,
  surveyLayers,
} from "../../session/abandoned-layers.ts";
import {
  activity,
  inImmediateTransaction,
  stillRunning,
} from "../../state/inspection.ts";
import { imageLayersInUse } from "../../state/retention.ts";
import { imageOf } from "../../state/images.ts";
import { startOver } from "../../state/snapshot.ts";
import type { Engine } from "../../engine/engine.ts";
import { ticketOfImage } from "../expire.ts";
import type { Found, LookOptions } from "./inconsistency.ts";
import { mending } from "./inconsistency.ts";
import { advice, remedy } from "../../domain/remedy.ts";
import { workAt } from "../../domain/step.ts";

/** Finds layers that are incomplete, lack a layer below them, or belong to no ticket. */
export async function layers(
  engine: Engine,
  { digests, signal }: LookOptions,
): Promise<Found[]> {
  const { db, paths } = engine;
  const { whole, broken } = await surveyLayers(paths.layers);
  const found = [...(await abandonedLayers(paths.layers)), ...broken].map(
    (name): Found => ({
      check: "layer",
      what: "it is half made",
      where: join(paths.layers, name),
      remedy: advice`${mending} removes it; it is made again when it is needed`,
      mend: () => removeLayer(paths.layers, name),
    }),
  );
  const usable = withAllBelow(whole);
  const isStray = ({ kind, name }: Layer) =>
    kind === "image" &&
    // In this order, because a run ends and records its image in one transaction.
    !stillRunning(db, ticketOfImage(name)) &&
    !imageLayersInUse(db, "").has(name);
  for (const layer of whole) {
    const where = join(paths.layers, layer.name);
    const stray = isStray(layer);
    if (stray || !usable.has(layer.name))
      found.push({
        check: "layer",
        what: stray
          ? "no ticket's image has it"
          : `a layer below it is not there: ${layer.below.filter((name) => !usable.has(name)).join(", ")}`,
        where,
        remedy: advice`${mending} removes it`,
        mend: async () => {
          if (!stray || isStray(layer))
            await removeLayer(paths.layers, layer.name);
        },
      });
    if (layer.kind !== "base" || !digests) continue;
    const tarball = join(where, "base.tar.zst");
    const { sha256 } = await digestFile(tarball, signal);
    if (`sha256:${sha256}` !== layer.digest)
      found.push({
        check: "layer",
        what: `its tarball has the sha256 ${sha256}, not that of ${layer.digest}`,
        where: tarball,
        remedy: advice`${remedy("refresh-bases")} makes a new one`,
      });
  }
  return [...found, ...imagesGone(engine, usable)];
}

/** Names of the layers whose layers below exist, all the way down. */
function withAllBelow(whole: readonly Layer[]): ReadonlySet<string> {
  const usable = new Map(whole.map((layer) => [layer.name, layer]));
  for (let before = -1; before !== usable.size;) {
    before = usable.size;
    for (const [name, { below }] of usable)
      if (!below.every((one) => usable.has(one))) usable.delete(name);
  }
  return new Set(usable.keys());
}

/** Finds tickets that are to be tested on an image whose layers are missing. */
function imagesGone(
  { db, actor }: Engine,
  usable: ReadonlySet<string>,
): Found[] {
  const found: Found[] = [];
  for (const { id, step } of activity(db).inFlight) {
    if (workAt(step).needsImage !== true || stillRunning(db, id)) continue;
    const gone = (imageOf(db, id)?.layers ?? []).filter(
      (name) => !usable.has(name),
    );
    if (gone.length === 0) continue;
    found.push({
      check: "layer",
      what: `ticket ${id} is to be tested on ${gone.join(", ")}, which is not there`,
      where: `ticket ${id}`,
      remedy: advice`${mending} has its image made again`,
      mend: () => {
        inImmediateTransaction(db, () => {
          if (!stillRunning(db, id))
            startOver(db, actor, id, "its image was gone (fsck)");
        });
      },
    });
  }
  return found;
}
