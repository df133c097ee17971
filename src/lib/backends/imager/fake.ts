import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runFakeTask } from "../fake-task.ts";
import type { Imager, ManifestEntry } from "./imager.ts";

/** An imager that needs no tools and takes milliseconds; `knob` is the setting `fake.imager`. */
export function createFakeImager(knob: string): Imager {
  return {
    async buildImage(request, work) {
      const name = `ticket-${request.ticket}`;
      const ended = await runFakeTask(knob, work, {
        backend: "imager",
        does: "image",
        subject: name,
        source: `ticket.${request.ticket}`,
        logName: `${name}.image.log`,
        stage: "image",
      });
      const result = { ...ended, base: null };
      if (ended.outcome !== "passed")
        return { ...result, image: null, files: [] };
      const manifest: ManifestEntry[] = request.add.map((added) => ({
        package: added,
        version: "0",
        architecture: "all",
        from: request.repositories[0]?.name ?? request.series,
      }));
      const text = JSON.stringify(manifest, null, 2) + "\n";
      const files = [
        { name: `${name}.rootfs.tar.zst`, path: join(work.scratch, "rootfs") },
        { name: `${name}.manifest.json`, path: join(work.scratch, "manifest") },
      ];
      for (const file of files) await writeFile(file.path, text);
      const digest = `sha256:${createHash("sha256").update(text).digest("hex")}`;
      return { ...result, image: { layers: [], digest, manifest }, files };
    },
  };
}
