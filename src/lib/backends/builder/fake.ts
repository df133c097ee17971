import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { withoutEpoch } from "../../debian/version.ts";
import { runFakeTask } from "../fake-task.ts";
import type { Builder } from "./builder.ts";
import { smallDeb } from "./small-deb.ts";

/** A builder that needs no tools and takes milliseconds; `knob` is the setting `fake.builder`. */
export function createFakeBuilder(knob: string): Builder {
  return {
    async build({ source, version, series }, work) {
      const stem = `${source}_${withoutEpoch(version)}_amd64`;
      const subject = `${source} ${version}`;
      const ended = await runFakeTask(knob, work, {
        backend: "builder",
        does: "build",
        subject,
        source,
        logName: `${stem}.build`,
        stage: "compile",
      });
      if (ended.outcome !== "passed")
        return { ...ended, base: null, files: [] };
      const deb = smallDeb(
        [
          `Package: ${source}`,
          `Version: ${version}`,
          "Architecture: amd64",
          "Maintainer: Fake <fake@example.com>",
          `Description: placeholder of ${subject}`,
        ].join("\n"),
      );
      const hash = createHash("sha256").update(deb).digest("hex");
      const fields = `Format: 1.8\nSource: ${source}\nVersion: ${version}\nArchitecture: amd64\n`;
      const contents = {
        [`${stem}.deb`]: deb,
        [`${stem}.buildinfo`]: fields,
        [`${stem}.changes`]: `${fields}Distribution: ${series}\nChecksums-Sha256:\n ${hash} ${deb.length} ${stem}.deb\n`,
      };
      const out = join(work.scratch, "out");
      await mkdir(out, { recursive: true });
      const files = Object.keys(contents).map((name) => ({
        name,
        path: join(out, name),
      }));
      for (const { name, path } of files)
        await writeFile(path, contents[name] ?? "");
      return { ...ended, base: null, files };
    },
  };
}
