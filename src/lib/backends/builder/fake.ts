import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { ProducedFile } from "../run-context.ts";
import { knobFor, playKnob } from "../fake-knob.ts";
import type { Builder } from "./builder.ts";
import { smallDeb } from "./small-deb.ts";
import { withoutEpoch } from "../../debian/version.ts";

/** A builder that needs no tools and takes milliseconds; `knob` is the setting `fake.builder`. */
export function createFakeBuilder(knob: string): Builder {
  return {
    name: "fake",
    async build(request, work) {
      const started = performance.now();
      const { source, version } = request;
      const outcome = await playKnob(knobFor(knob, source), work);
      const stem = `${source}_${withoutEpoch(version)}`;
      const out = join(work.scratch, "out");
      await mkdir(out, { recursive: true });
      const put = async (
        name: string,
        contents: string | Buffer,
      ): Promise<ProducedFile> => {
        const path = join(out, name);
        await writeFile(path, contents);
        return { name, path };
      };
      const log = await put(
        `${stem}_amd64.build`,
        `fake build of ${source} ${version}: ${outcome}\n`,
      );
      const files: ProducedFile[] = [];
      if (outcome === "passed") {
        const deb = smallDeb(
          [
            `Package: ${source}`,
            `Version: ${version}`,
            "Architecture: amd64",
            "Maintainer: Fake <fake@example.com>",
            `Description: placeholder of ${source} ${version}`,
          ].join("\n"),
        );
        const hash = createHash("sha256").update(deb).digest("hex");
        const fields = `Format: 1.8\nSource: ${source}\nVersion: ${version}\nArchitecture: amd64\n`;
        files.push(
          await put(`${stem}_amd64.deb`, deb),
          await put(`${stem}_amd64.buildinfo`, fields),
          await put(
            `${stem}_amd64.changes`,
            `${fields}Distribution: ${request.series}\nChecksums-Sha256:\n ${hash} ${deb.length} ${stem}_amd64.deb\n`,
          ),
        );
      }
      work.progress({
        state: outcome === "passed" ? "COMPLETED" : "FAILED",
        message: `${source} ${version}`,
        current: null,
        total: null,
      });
      return {
        outcome,
        reason:
          outcome === "passed"
            ? null
            : `the fake builder was told to: ${outcome}`,
        files,
        log,
        base: null,
        stages: { compile: performance.now() - started },
      };
    },
  };
}
