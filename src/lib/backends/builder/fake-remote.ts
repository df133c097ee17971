import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { writeFileAtomic } from "../../files/atomic-file.ts";
import { ifExists } from "../../files/optional-file.ts";
import type { StatePaths } from "../../host/paths.ts";
import { knobFor } from "../fake-knob.ts";
import type { JobId } from "../remote.ts";
import type { BuildJob, RemoteBuilder, SourceResult } from "./builder.ts";
import { createFakeBuilder } from "./fake.ts";

/** The record of a job. */
interface FakeJob extends BuildJob {
  readonly key: string;
  /** How often it was submitted: more than once would be a bug. */
  readonly submitted: number;
  readonly looks: number;
  readonly state: "at work" | "ended" | "cancelled";
}

/**
 * A remote builder whose jobs take several looks. Files in the state folder play the remote engine.
 * `knobs` is the setting `fake.builder`.
 */
export function createFakeRemoteBuilder(
  paths: StatePaths,
  knobs: string,
): RemoteBuilder {
  const folder = join(paths.root, ".fake-remote");
  const fileOf = (job: JobId) => join(folder, `${job}.json`);
  const read = async (job: JobId): Promise<FakeJob | undefined> => {
    const text = await ifExists(readFile(fileOf(job), "utf8"));
    return text === undefined ? undefined : (JSON.parse(text) as FakeJob);
  };
  const write = (job: JobId, state: FakeJob) =>
    writeFileAtomic(fileOf(job), JSON.stringify(state));
  return {
    name: "the fake builder",
    async submit(key, input) {
      const job = jobOf(key);
      const known = (await read(job)) ?? {
        ...input,
        key,
        submitted: 0,
        looks: 0,
        state: "at work",
      };
      await write(job, { ...known, submitted: known.submitted + 1 });
      return job;
    },
    async find(key) {
      return (await read(jobOf(key))) === undefined ? null : jobOf(key);
    },
    async look(job, work) {
      const known = await read(job);
      if (known === undefined)
        throw new RangeError(`the fake builder has no job ${job}`);
      const knob = knobFor(knobs, "");
      const { looks, seconds } =
        knob.kind === "remote" ? knob : { looks: 0, seconds: 0 };
      if (known.looks < looks) {
        await write(job, { ...known, looks: known.looks + 1 });
        return {
          outcome: "pending",
          lookAgainAt: new Date(Date.now() + seconds * 1000).toISOString(),
        };
      }
      const builder = createFakeBuilder(knobs);
      const result: SourceResult[] = [];
      for (const source of known.waves.flat()) {
        const scratch = join(work.scratch, source.source);
        await mkdir(scratch, { recursive: true });
        const { series, repositories } = known;
        const request = { ...source, series, repositories };
        const built = await builder.build(request, { ...work, scratch });
        result.push({ source: source.source, result: built });
      }
      await write(job, { ...known, state: "ended" });
      return { outcome: "ended", result };
    },
    async cancel(job) {
      const known = await read(job);
      if (known?.state === "at work")
        await write(job, { ...known, state: "cancelled" });
    },
  };
}

function jobOf(key: string): JobId {
  return createHash("sha256").update(key).digest("hex").slice(0, 12);
}
