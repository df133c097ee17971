import { statfs } from "node:fs/promises";

import { notNow } from "../domain/error.ts";
import { advice, remedy } from "../domain/remedy.ts";
import { sizeInWords } from "../domain/size.ts";
import { workAt, type WorkStepCode } from "../domain/step.ts";
import type { Engine } from "./engine.ts";

/**
 * A step that starts on a disk that is nearly full would only fill it, and fail. Publishing writes little,
 * and lets a ticket end.
 *
 * @throws UbuntuCiError (75) when less is free than the setting `limits.diskReserveMiB`
 */
export async function requireDiskReserve(
  { paths, config }: Pick<Engine, "paths" | "config">,
  step: WorkStepCode,
): Promise<void> {
  if (workAt(step).publishes === true) return;
  const reserve = config.get("limits.diskReserveMiB") * 1024 ** 2;
  if (reserve === 0) return;
  const { bavail, bsize } = await statfs(paths.root);
  const free = bavail * bsize;
  if (free >= reserve) return;
  throw notNow(
    `nothing is started: ${sizeInWords(free)} are free on the disk of ${paths.root}, less than the reserve of ${sizeInWords(reserve)} (limits.diskReserveMiB)`,
    advice`make room: ${remedy("expire")} removes what the settings give up`,
  );
}
