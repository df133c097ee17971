import { readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";

import { misconfigured } from "../../domain/error.ts";
import { copyDurably } from "../../files/atomic-file.ts";
import { now } from "../../host/clock.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { exclusively, lockFile } from "../../locks/exclusively.ts";
import { publicFile } from "../../files/modes.ts";
import type { StatePaths } from "../../host/paths.ts";
import { childPath } from "../../host/paths.ts";
import { makePublicFolder, writePublicFile } from "../../files/public-files.ts";
import type { AptRepository } from "../apt-repository.ts";
import { killAt, knobFor, playKnob } from "../fake-knob.ts";
import { overtaken, poolFolder, remaining } from "./admit.ts";
import type {
  ArchiveKeeper,
  PublishRequest,
  PublishResult,
} from "./archive.ts";
import type { PublishedPackage } from "./index-files.ts";
import {
  inspectRevisions,
  removeRevisions,
  wrongDigests,
} from "./revision-upkeep.ts";
import { revisionTree } from "./revisions.ts";
import type { StoredRevision } from "./revisions.ts";

/**
 * An archive keeper without tools: files are copied, nothing is signed, there are no index files,
 * and what a package is is read from its file's name. Revisions are those of the real one. A `kill`
 * has the points begun, copied, prepared and shown.
 *
 * @param knobs the setting `fake.archive`, for `publish` alone
 */
export function fakeKeeper(paths: StatePaths, knobs: string): ArchiveKeeper {
  const archive = revisionTree(paths.archive);
  const archiveLock = lockFile(paths, "archive");
  const ppaRoot = (ppa: string) => childPath(paths.ppa, ppa);
  const repository = (
    name: string,
    root: string,
    series: string,
  ): Promise<AptRepository> =>
    Promise.resolve({
      name,
      root,
      suite: series,
      component: "main",
      signingKey: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nfake\n",
    });
  const show = async (revision: StoredRevision): Promise<void> => {
    const prepared = await archive.prepare(revision, new Map());
    await archive.show(revision, prepared);
  };

  return {
    name: "fake",
    async init(series) {
      await exclusively(archiveLock, async () => {
        const number = await archive.currentNumber();
        const held =
          number === null ? {} : (await archive.current()).publications;
        const missing = series.filter((one) => held[one] === undefined);
        if (number !== null && missing.length === 0) return;
        const empty = missing.map((one) => [one, []] as const);
        await show({
          revision: number === null ? 0 : number + 1,
          created_at: now(),
          ticket: null,
          reverts_to: null,
          publications: { ...held, ...Object.fromEntries(empty) },
        });
      });
    },
    async resetPpa(ppa, series) {
      await rm(ppaRoot(ppa), { recursive: true, force: true });
      const files = join(ppaRoot(ppa), "files.json");
      makePublicFolder(ppaRoot(ppa));
      await writePublicFile(files, "[]");
      return repository(ppa, ppaRoot(ppa), series);
    },
    async addToPpa(ppa, _series, files) {
      const root = ppaRoot(ppa);
      await exclusively(lockFile(paths, `ppa.${ppa}`), async () => {
        const list = join(root, "files.json");
        const held = new Set(
          JSON.parse(await readFile(list, "utf8")) as string[],
        );
        makePublicFolder(join(root, "pool"));
        for (const file of files) {
          await copyDurably(
            file,
            join(root, "pool", basename(file)),
            publicFile,
          );
          held.add(basename(file));
        }
        await writePublicFile(list, JSON.stringify([...held].sort()));
      });
    },
    async clearPpa(ppa) {
      await rm(ppaRoot(ppa), { recursive: true, force: true });
    },
    ppaRepository: (ppa, series) => repository(ppa, ppaRoot(ppa), series),
    archiveRepository: (series) => repository("archive", paths.archive, series),
    publish: (request, signal) =>
      exclusively(archiveLock, () => publishInTurn(request, signal), signal),
    current: () => archive.current(),
    async revisions() {
      const numbers = await archive.numbers();
      return Promise.all(numbers.map((number) => archive.read(number)));
    },
    async revert(number) {
      return exclusively(archiveLock, async () => {
        const current = await archive.current();
        const target = await archive.read(number);
        if (current.revision === number || current.reverts_to === number)
          return current;
        const revision: StoredRevision = {
          ...target,
          revision: current.revision + 1,
          created_at: now(),
          ticket: null,
          reverts_to: number,
        };
        await show(revision);
        return revision;
      });
    },
    removeRevisions: (revisions) =>
      exclusively(archiveLock, () => removeRevisions(archive, revisions)),
    async inspect(digests) {
      const faults = await exclusively(archiveLock, () =>
        inspectRevisions(archive),
      );
      return digests ? [...faults, ...(await wrongDigests(archive))] : faults;
    },
  };

  async function publishInTurn(
    request: PublishRequest,
    signal = new AbortController().signal,
  ): Promise<PublishResult> {
    const current = await archive.current();
    const published = current.publications[request.series];
    if (published === undefined)
      throw misconfigured(`the archive has no series ${request.series}`);
    for (const number of (await archive.numbers()).reverse()) {
      const revision = await archive.read(number);
      if (revision.ticket === request.ticket)
        return { outcome: "passed", revision };
    }
    const knobsOfTicket = request.sources.map(({ name }) =>
      knobFor(knobs, name),
    );
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
    const reason = overtaken(request.sources, published);
    if (reason !== undefined) return { outcome: "failed", reason };
    const added: PublishedPackage[] = [];
    for (const { name, version, dsc } of request.sources) {
      const it = { name, version, architecture: "source", source: name };
      added.push({ kind: "source", ...it, files: [await copy(dsc, name)] });
    }
    for (const path of request.binaries) {
      const [name = "", version = "", rest = ""] = basename(path).split("_");
      const source = ownerOf(name, request.sources);
      const architecture = rest.replace(/\.[a-z]+$/, "");
      const it = { name, version, architecture, source };
      added.push({ kind: "binary", ...it, files: [await copy(path, source)] });
    }
    await point("copied");
    const kept = remaining(
      published,
      new Set(request.sources.map(({ name }) => name)),
      new Set(added.map(({ name }) => name)),
    );
    const revision: StoredRevision = {
      revision: current.revision + 1,
      created_at: now(),
      ticket: request.ticket,
      reverts_to: null,
      publications: {
        ...current.publications,
        [request.series]: [...kept, ...added],
      },
    };
    const prepared = await archive.prepare(revision, new Map());
    await point("prepared");
    await archive.show(revision, prepared);
    await point("shown");
    return { outcome: "passed", revision };
  }

  async function copy(from: string, source: string) {
    const path = join(poolFolder(source), basename(from));
    const to = join(paths.archive, path);
    makePublicFolder(join(to, ".."));
    return { path, ...(await copyDurably(from, to, publicFile)) };
  }
}

/** The source whose name a binary package's begins with, else the first. */
function ownerOf(
  binary: string,
  sources: readonly { readonly name: string }[],
): string {
  const found = sources.find(({ name }) => binary.startsWith(name));
  return (found ?? sources[0])?.name ?? binary;
}
