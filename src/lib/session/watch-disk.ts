import { statfs } from "node:fs/promises";

import { exec } from "../host/exec.ts";
import { asSubordinateRoot } from "./subordinate-ids.ts";

const everyMs = 5000;

/**
 * Watches how much is written to a folder until it is stopped. The folder is measured only when the disk
 * has lost as much as the limit.
 *
 * @param exceeded called once, when the folder is larger than the limit
 */
export async function watchDisk(
  folder: string,
  limitMiB: number,
  exceeded: () => void,
): Promise<{ stop(): void }> {
  const freeMiB = async () => {
    const { bavail, bsize } = await statfs(folder);
    return (bavail * bsize) / 1024 ** 2;
  };
  let before = await freeMiB();
  let isBusy = false;
  const look = async () => {
    const now = await freeMiB();
    if (before - now <= limitMiB) return;
    const measured = await exec([
      ...[...asSubordinateRoot, "du", "--summarize", "--one-file-system"],
      ...["--block-size=1M", "--", folder],
    ]);
    // Files vanish while they are measured, so that du may fail with a result.
    const used = /^[0-9]+/.exec(measured.stdout)?.[0];
    if (used === undefined || Number(used) <= limitMiB) before = now;
    else {
      stop();
      exceeded();
    }
  };
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    void look()
      .catch(() => undefined) // the folder is gone: the session has ended
      .finally(() => (isBusy = false));
  }, everyMs);
  timer.unref();
  const stop = () => clearInterval(timer);
  return { stop };
}
