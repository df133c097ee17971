import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { knobFor, playKnob } from "../fake-knob.ts";
import type { Imager, ManifestEntry } from "./imager.ts";

/** An imager that takes milliseconds and no tools; `knob` is the setting `fake.imager`. */
export function createFakeImager(knob: string): Imager {
  return {
    name: "fake",
    async buildImage(request, work) {
      const started = performance.now();
      const name = `ticket-${request.ticket}`;
      const outcome = await playKnob(
        knobFor(knob, `ticket.${request.ticket}`),
        work,
      );
      const log = {
        name: `${name}.image.log`,
        path: join(work.scratch, "log"),
      };
      await writeFile(log.path, `fake image of ${name}: ${outcome}\n`);
      const passed = outcome === "passed";
      work.progress({
        state: passed ? "COMPLETED" : "FAILED",
        message: name,
        current: null,
        total: null,
      });
      const result = {
        outcome,
        reason: passed ? null : `the fake imager was told to: ${outcome}`,
        log,
        base: null,
        stages: { image: performance.now() - started },
      };
      if (!passed) return { ...result, image: null, files: [] };
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
