import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { readDsc } from "../../debian/dsc.ts";
import { binaryFile } from "../../debian/package-file.ts";
import { withoutEpoch } from "../../debian/version.ts";
import { misconfigured, notNow, refused } from "../../domain/error.ts";
import { copyDurably } from "../../files/atomic-file.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { publicFile } from "../../files/modes.ts";
import { makePublicFolder } from "../../files/public-files.ts";
import type { StatePaths } from "../../host/paths.ts";
import { killAt, knobFor, playKnob } from "../fake-knob.ts";
import { fakeRepository, filesOfFakePpa } from "../pool/fake.ts";
import { overtaken, poolFolder, remaining } from "./admit.ts";
import type {
  Archive,
  PpaRef,
  PublishedSource,
  PublishResult,
  SourceVersion,
} from "./archive.ts";
import type { PublishedPackage } from "./index-files.ts";
import { revisionArchive } from "./revision-archive.ts";
import { newRevision, recordOf } from "./revision-record.ts";
import { revisionOfTicket } from "./revisions.ts";

/**
 * An archive without tools: files are copied from fake PPAs, nothing is signed, there are no indexes,
 * and packages are known by their file names. Revisions work as in the real one. `kill` points: begun,
 * copied, prepared, shown.
 *
 * @param knobs the setting `fake.archive`; applies to `publish` only
 */
export function fakeArchive(paths: StatePaths, knobs: string): Archive {
  const { tree, inTurn, ...common } = revisionArchive(paths);
  return {
    ...common,
    sign: () => Promise.resolve(null),
    rotateKey: () => Promise.reject(unsigned()),
    retireKey: () => Promise.reject(unsigned()),
    signing: () => Promise.resolve(null),
    repository: (series) =>
      Promise.resolve(fakeRepository("archive", paths.archive, series)),
    publish: (from, what, ticket, signal) =>
      inTurn(() => publishInTurn(from, what, ticket, signal), signal),
  };

  async function publishInTurn(
    { ppa, series }: PpaRef,
    what: readonly PublishedSource[],
    ticket: number,
    signal = new AbortController().signal,
  ): Promise<PublishResult> {
    const current = await tree.current();
    const published = current.publications[series];
    if (published === undefined)
      throw misconfigured(`the archive has no series ${series}`);
    const holds = ({ name, version }: SourceVersion) =>
      published.some(
        (one) =>
          one.kind === "source" && one.name === name && one.version === version,
      );
    if (what.every(holds)) {
      const own = await revisionOfTicket(tree, ticket);
      if (own !== undefined) return { outcome: "passed", revision: own };
    }
    const knobsOfTicket = what.map(({ name }) => knobFor(knobs, name));
    for (const knob of knobsOfTicket) {
      const outcome = await playKnob(knob, {
        signal,
        progress: () => undefined,
      });
      if (outcome !== "passed")
        return { outcome, reason: `the fake archive was told to ${knob.kind}` };
    }
    const point = async (name: "begun" | "copied" | "prepared" | "shown") => {
      crashPoint(`publish.${name}`);
      for (const knob of knobsOfTicket) await killAt(knob, name);
    };
    await point("begun");
    const reason = overtaken(what, published);
    if (reason !== undefined) return { outcome: "failed", reason };
    const added = await copied(ppa, what);
    await point("copied");
    const kept = remaining(
      published,
      new Set(what.map(({ name }) => name)),
      new Set(added.map(({ name }) => name)),
    );
    const revision = newRevision(
      current.revision + 1,
      { ...current.publications, [series]: [...kept, ...added] },
      { ticket },
      current.publications,
    );
    const prepared = await tree.prepare(revision, new Map());
    await point("prepared");
    await tree.show(revision, prepared);
    await point("shown");
    return { outcome: "passed", revision: recordOf(revision) };
  }

  /** Copies these sources and the binaries whose names begin with a source's name. */
  async function copied(
    ppa: string,
    what: readonly SourceVersion[],
  ): Promise<PublishedPackage[]> {
    const { root, names } = await filesOfFakePpa(paths, ppa);
    const copy = async (name: string, source: string) => {
      const path = join(poolFolder(source), name);
      makePublicFolder(join(paths.archive, path, ".."));
      const to = join(paths.archive, path);
      return { path, ...(await copyDurably(join(root, name), to, publicFile)) };
    };
    const packages: PublishedPackage[] = [];
    for (const { name, version } of what) {
      const dsc = `${name}_${withoutEpoch(version)}.dsc`;
      if (!names.includes(dsc)) throw notNow(`${ppa} does not hold ${dsc}`);
      const it = { name, version, architecture: "source", source: name };
      const files = [await copy(dsc, name)];
      const text = await readFile(join(root, dsc));
      for (const listed of readDsc(text, dsc, [])?.files ?? [])
        if (existsSync(join(root, listed.name)))
          files.push(await copy(listed.name, name));
      packages.push({ kind: "source", ...it, files });
    }
    const sources = names.filter((name) => name.endsWith(".dsc")).map(nameOf);
    for (const file of names.filter((name) => binaryFile.test(name))) {
      const [name = "", version = "", rest = ""] = file.split("_");
      const source = sources.find((one) => name.startsWith(one)) ?? sources[0];
      if (source === undefined || !what.some((one) => one.name === source))
        continue;
      const architecture = rest.replace(/\.[a-z]+$/, "");
      const it = { name, version, architecture, source };
      packages.push({
        kind: "binary",
        ...it,
        files: [await copy(file, source)],
      });
    }
    return packages;
  }
}

const unsigned = () => refused("the fake archive is not signed");

/** The package name in a file name. */
function nameOf(file: string): string {
  return file.split("_", 1)[0] ?? "";
}
