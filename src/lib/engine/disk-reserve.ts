import { statfsSync } from "node:fs";

import { expireMakesRoom, noRoomInWords } from "../domain/disk-room.ts";
import type { DiskRoom } from "../domain/disk-room.ts";
import { notNow } from "../domain/error.ts";
import type { WorkStepCode } from "../domain/step.ts";
import { workAt } from "../domain/step.ts";
import type { Engine } from "./engine.ts";

/** The room on the disk of the state folder, where that is less than the setting `limits.diskReserveMiB`; else null. */
export function missingRoom({
  paths,
  config,
}: Pick<Engine, "paths" | "config">): DiskRoom | null {
  const reserve = config.get("limits.diskReserveMiB") * 1024 ** 2;
  if (reserve === 0) return null;
  const { bavail, bsize } = statfsSync(paths.root);
  const free = bavail * bsize;
  return free >= reserve ? null : { disk: paths.root, free, reserve };
}

/**
 * A step that starts on a disk that is nearly full would only fill it, and fail. Publishing writes little,
 * and lets a ticket end.
 *
 * @throws UbuntuCiError (75) when less is free than the setting `limits.diskReserveMiB`
 */
export function requireDiskReserve(
  engine: Pick<Engine, "paths" | "config">,
  step: WorkStepCode,
): void {
  const room = workAt(step).publishes === true ? null : missingRoom(engine);
  if (room !== null)
    throw notNow(`nothing is started: ${noRoomInWords(room)}`, expireMakesRoom);
}
