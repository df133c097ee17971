import { readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { linesOf, parseDeb822, withoutSignature } from "../../debian/deb822.ts";
import {
  ExitCode,
  misconfigured,
  notNow,
  refused,
  UbuntuCiError,
} from "../../domain/error.ts";
import { digestFile, syncPath } from "../../files/atomic-file.ts";
import { now } from "../../host/clock.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { exclusively, lockFile } from "../../locks/exclusively.ts";
import { ifExists } from "../../files/optional-file.ts";
import type { StatePaths } from "../../host/paths.ts";
import { childPath } from "../../host/paths.ts";
import { openToEverybody } from "../../files/public-files.ts";
import { ensureSigningKey, readSigningKey } from "./signing-key.ts";
import type { AptRepository } from "../apt-repository.ts";
import { downgraded, overtaken, poolFolder, remaining } from "./admit.ts";
import type { AptlyRootOptions } from "./aptly-root.ts";
import { cleanAptly, publishWithAptly } from "./aptly-root.ts";
import type {
  ArchiveKeeper,
  PublishRequest,
  PublishResult,
  Revision,
} from "./archive.ts";
import { checkAsClient } from "./client-check.ts";
import type { PublishedPackage } from "./index-files.ts";
import { readPublished } from "./index-files.ts";
import {
  inspectRevisions,
  removeRevisions,
  wrongDigests,
} from "./revision-upkeep.ts";
import type { RevisionTree, StoredRevision } from "./revisions.ts";
import { revisionTree } from "./revisions.ts";
import { remedy } from "../../domain/remedy.ts";

/** Where the keeper is in `publish`, for tests that kill it there. */
export type PublishPoint =
  "begun" | "published" | "prepared" | "checked" | "shown";

export interface AptlyKeeperOptions {
  /** Origin and Label of the Release files. */
  readonly origin: string;
  readonly onPoint?: (point: PublishPoint) => void;
}

/** Keeps the PPAs and the archive with aptly, one aptly folder each. */
export function aptlyKeeper(
  paths: StatePaths,
  { origin, onPoint = () => undefined }: AptlyKeeperOptions,
): ArchiveKeeper {
  const archive = revisionTree(paths.archive);
  const archiveLock = lockFile(paths, "archive");
  const ppaLock = (ppa: string) =>
    lockFile(paths, `ppa.${basename(ppaPath(paths.ppa, ppa))}`);
  // One is enough: whoever checks has the archive for himself. No PPA has such a name.
  const clientFolder = join(paths.aptly, ".client");
  const archiveAptly = (signal?: AbortSignal): AptlyRootOptions => ({
    root: join(paths.aptly, "archive"),
    pool: join(paths.archive, "pool"),
    keys: paths,
    origin,
    replaceFiles: false,
    signal,
  });
  const ppaAptly = (ppa: string, signal?: AbortSignal): AptlyRootOptions => ({
    root: ppaPath(paths.aptly, ppa),
    pool: join(ppaPath(paths.ppa, ppa), "pool"),
    keys: paths,
    origin: `${origin} ${ppa}`,
    replaceFiles: true,
    signal,
  });

  const repository = async (
    name: string,
    root: string,
    series: string,
  ): Promise<AptRepository> => ({
    name,
    root,
    suite: checkedSeries(series),
    component: "main",
    signingKey: (await readSigningKey(paths.gnupg)).publicKey,
  });

  const emptied = async (ppa: string): Promise<void> => {
    // What clients see goes first: aptly's folder without it would be rebuilt from it.
    await rm(ppaPath(paths.ppa, ppa), { recursive: true, force: true });
    await rm(ppaPath(paths.aptly, ppa), { recursive: true, force: true });
  };

  return {
    name: "aptly",

    async init(series) {
      await ensureSigningKey(paths, `${origin} archive signing key`);
      await exclusively(archiveLock, async () => {
        const number = await archive.currentNumber();
        const held =
          number === null ? {} : (await archive.current()).publications;
        const missing = series.filter((one) => held[one] === undefined);
        if (number !== null && missing.length === 0) return;
        const distributions = new Map<string, string>();
        for (const one of missing) {
          const empty = { kept: [], added: [] };
          distributions.set(
            checkedSeries(one),
            await publishWithAptly(archiveAptly(), one, empty),
          );
        }
        const revision: StoredRevision = {
          revision: number === null ? 0 : number + 1,
          created_at: now(),
          ticket: null,
          reverts_to: null,
          publications: {
            ...held,
            ...Object.fromEntries(missing.map((one) => [one, []])),
          },
        };
        await archive.show(
          revision,
          await archive.prepare(revision, distributions),
        );
      });
    },

    async resetPpa(ppa, series, signal) {
      const root = ppaPath(paths.ppa, ppa);
      const reset = async () => {
        await emptied(ppa);
        const made = await publishWithAptly(
          ppaAptly(ppa, signal),
          checkedSeries(series),
          { kept: [], added: [] },
        );
        await showPpa(revisionTree(root), series, made, 0);
      };
      await exclusively(ppaLock(ppa), reset, signal);
      return repository(ppa, root, series);
    },

    async addToPpa(ppa, series, files, signal) {
      const root = ppaPath(paths.ppa, ppa);
      const add = async () => {
        const tree = revisionTree(root);
        const current = await tree.current();
        const kept = current.publications[series];
        if (kept === undefined)
          throw misconfigured(`${ppa} is not reset for ${series}`);
        const wanted = await digestsOf(files);
        if (holds(kept, wanted)) return;
        const made = await publishWithAptly(ppaAptly(ppa, signal), series, {
          kept,
          added: files,
        });
        if (!holds(await readPublished(made), wanted))
          throw notNow(`aptly did not publish all files in ${ppa}`);
        await showPpa(tree, series, made, current.revision + 1);
      };
      await exclusively(ppaLock(ppa), add, signal);
    },

    async clearPpa(ppa) {
      await exclusively(ppaLock(ppa), () => emptied(ppa));
    },

    ppaRepository: (ppa, series) =>
      repository(ppa, ppaPath(paths.ppa, ppa), series),
    archiveRepository: (series) => repository("archive", paths.archive, series),

    async publish(request, signal) {
      try {
        return await exclusively(
          archiveLock,
          () => publishInTurn(request, signal),
          signal,
        );
      } catch (thrown) {
        if (isOurs(thrown))
          return { outcome: "tmpfail", reason: thrown.message };
        throw thrown;
      }
    },

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
        const publications: Record<string, readonly PublishedPackage[]> = {};
        const distributions = new Map<string, string>();
        for (const series of Object.keys(current.publications)) {
          const kept = target.publications[series] ?? [];
          publications[series] = kept;
          if (sameFiles(kept, current.publications[series] ?? [])) continue;
          const contents = { kept, added: [] };
          const made = await publishWithAptly(archiveAptly(), series, contents);
          if (!sameFiles(await readPublished(made), kept))
            throw notNow(`aptly did not publish ${series} as in ${number}`);
          distributions.set(series, made);
        }
        const revision: StoredRevision = {
          revision: current.revision + 1,
          created_at: now(),
          ticket: null,
          reverts_to: number,
          publications,
        };
        const prepared = await archive.prepare(revision, distributions);
        for (const series of distributions.keys()) {
          await checkAsClient(
            await repository("archive", prepared, series),
            publications[series] ?? [],
            clientFolder,
          );
        }
        await archive.show(revision, prepared);
        return revision;
      });
    },

    removeRevisions: (revisions) =>
      exclusively(archiveLock, async () => {
        await removeRevisions(archive, revisions);
        await cleanAptly(archiveAptly());
      }),
    async inspect(digests) {
      const faults = await exclusively(archiveLock, () =>
        inspectRevisions(archive),
      );
      return digests ? [...faults, ...(await wrongDigests(archive))] : faults;
    },
  };

  async function publishInTurn(
    request: PublishRequest,
    signal: AbortSignal | undefined,
  ): Promise<PublishResult> {
    const { series, ticket, sources, binaries } = request;
    const current = await archive.current();
    const published = current.publications[series];
    if (published === undefined)
      throw misconfigured(
        `the archive has no series ${series}`,
        remedy("init", [], { series }),
      );
    crashPoint("publish.begun");
    onPoint("begun");
    const added = [...new Set([...sources.map(({ dsc }) => dsc), ...binaries])];
    const wanted = await digestsOf(added);
    if (holds(published, wanted)) {
      const mine = await revisionOf(archive, ticket);
      if (mine !== undefined) {
        await checkAsClient(
          await repository("archive", paths.archive, series),
          published.filter(({ files }) =>
            files.some(({ sha256 }) => wanted.has(sha256)),
          ),
          clientFolder,
          signal,
        );
        return { outcome: "passed", revision: mine };
      }
    }
    const reason =
      overtaken(sources, published) ??
      (await otherFileOfThatName(archive, request));
    if (reason !== undefined) return { outcome: "failed", reason };

    const kept = remaining(
      published,
      new Set(sources.map(({ name }) => name)),
      new Set(binaries.map((path) => basename(path).split("_")[0] ?? "")),
    );
    const made = await publishWithAptly(archiveAptly(signal), series, {
      kept,
      added,
    });
    crashPoint("publish.copied");
    onPoint("published");
    const all = await readPublished(made);
    const came = all.filter(({ files }) =>
      files.some(({ sha256 }) => wanted.has(sha256)),
    );
    if (!holds(came, wanted) || all.length !== kept.length + added.length)
      throw notNow(
        `aptly published ${all.length} packages for ${series}, not the ${kept.length + added.length} it was given`,
      );
    const lower = downgraded(
      came.filter(({ kind }) => kind === "binary"),
      published,
    );
    if (lower !== undefined) return { outcome: "failed", reason: lower };
    // aptly makes what it makes private, and takes files as they are in the data store.
    await openToEverybody(paths.archive, poolFiles(came));
    await flushPool(paths.archive, came);
    const revision: StoredRevision = {
      revision: current.revision + 1,
      created_at: now(),
      ticket,
      reverts_to: null,
      publications: { ...current.publications, [series]: all },
    };
    const prepared = await archive.prepare(revision, new Map([[series, made]]));
    crashPoint("publish.prepared");
    onPoint("prepared");
    await checkAsClient(
      await repository("archive", prepared, series),
      came,
      clientFolder,
      signal,
    );
    onPoint("checked");
    // From here on it is published: ending it halfway would only leave the last check out.
    signal?.throwIfAborted();
    await archive.show(revision, prepared);
    crashPoint("publish.shown");
    onPoint("shown");
    await checkAsClient(
      await repository("archive", paths.archive, series),
      came,
      clientFolder,
    );
    return { outcome: "passed", revision };
  }
}

/** Clients of a PPA are in the middle of an update, too: it changes in one instant, as the archive. */
async function showPpa(
  tree: RevisionTree,
  series: string,
  made: string,
  number: number,
): Promise<void> {
  const all = await readPublished(made);
  await openToEverybody(tree.root, poolFiles(all));
  const revision: StoredRevision = {
    revision: number,
    created_at: now(),
    ticket: null,
    reverts_to: null,
    publications: { [series]: all },
  };
  const prepared = await tree.prepare(revision, new Map([[series, made]]));
  await tree.show(revision, prepared);
  await tree.forgetOld();
}

/** The newest revision that a ticket made. */
async function revisionOf(
  tree: RevisionTree,
  ticket: number,
): Promise<Revision | undefined> {
  for (const number of (await tree.numbers()).reverse()) {
    const revision = await tree.read(number);
    if (revision.ticket === ticket) return revision;
  }
  return undefined;
}

/**
 * Why files of that name can't go into the pool, or undefined: a revision, also one that is not
 * current, has others of that name, and must stay as it is. Files of no revision were left by a run
 * that was killed; they are removed.
 */
async function otherFileOfThatName(
  tree: RevisionTree,
  request: PublishRequest,
): Promise<string | undefined> {
  const names = new Map<string, string>();
  for (const path of request.binaries)
    names.set(basename(path), (await digestFile(path)).sha256);
  for (const { dsc } of request.sources) {
    names.set(basename(dsc), (await digestFile(dsc)).sha256);
    for (const [name, sha256] of await filesOfDsc(dsc)) names.set(name, sha256);
  }
  const others: string[] = [];
  for (const { name: source } of request.sources) {
    for (const [name, sha256] of names) {
      const path = join(poolFolder(source), name);
      const there = await ifExists(digestFile(join(tree.root, path)));
      if (there !== undefined && there.sha256 !== sha256) others.push(path);
    }
  }
  if (others.length === 0) return undefined;
  for (const number of await tree.numbers()) {
    const { publications } = await tree.read(number);
    const paths = new Set(
      Object.values(publications).flatMap((all) =>
        all.flatMap(({ files }) => files.map(({ path }) => path)),
      ),
    );
    const used = others.find((path) => paths.has(path));
    if (used !== undefined)
      return `revision ${number} of the archive has another ${basename(used)}; a file that was published keeps its contents, so the version must be raised`;
  }
  for (const path of others) await rm(join(tree.root, path));
  return undefined;
}

async function filesOfDsc(dsc: string): Promise<[string, string][]> {
  const { text } = withoutSignature(await readFile(dsc, "utf8"));
  const [stanza] = parseDeb822(text);
  return linesOf(stanza?.get("Checksums-Sha256") ?? "").map((line) => {
    const [sha256 = "", , name = ""] = line.split(/\s+/);
    // The name goes into a path.
    return [basename(childPath("/", name)), sha256];
  });
}

async function digestsOf(files: readonly string[]): Promise<Set<string>> {
  const digests = await Promise.all(files.map((file) => digestFile(file)));
  return new Set(digests.map(({ sha256 }) => sha256));
}

function holds(
  published: readonly PublishedPackage[],
  wanted: ReadonlySet<string>,
): boolean {
  const held = new Set(
    published.flatMap(({ files }) => files.map(({ sha256 }) => sha256)),
  );
  return [...wanted].every((sha256) => held.has(sha256));
}

function sameFiles(
  a: readonly PublishedPackage[],
  b: readonly PublishedPackage[],
): boolean {
  const listed = (all: readonly PublishedPackage[]) =>
    all
      .flatMap(({ files }) => files.map(({ path, sha256 }) => path + sha256))
      .sort()
      .join("\n");
  return listed(a) === listed(b);
}

/** Paths of the files of packages, in their repository. */
function poolFiles(packages: readonly PublishedPackage[]): string[] {
  return packages.flatMap((one) => one.files.map(({ path }) => path));
}

async function flushPool(
  root: string,
  packages: readonly PublishedPackage[],
): Promise<void> {
  const files = poolFiles(packages).map((path) => join(root, path));
  const folders = new Set(files.map((file) => dirname(file)));
  await Promise.all([...files, ...folders].map((path) => syncPath(path)));
}

function ppaPath(folder: string, ppa: string): string {
  // The archive's own aptly folder is beside those of the PPAs.
  if (ppa === "archive" || !/^[a-z0-9][a-z0-9+._-]*$/.test(ppa))
    throw refused(`${JSON.stringify(ppa)} is not a name for a PPA`);
  return childPath(folder, ppa);
}

/** A series is a folder in dists/ and an argument of aptly. */
function checkedSeries(series: string): string {
  if (!/^[a-z0-9][a-z0-9+.-]*$/.test(series))
    throw refused(`${JSON.stringify(series)} is not the name of a series`);
  return series;
}

/** Tools and disks that failed; not what was asked, and not a mistake in this program. */
function isOurs(thrown: unknown): thrown is Error {
  if (thrown instanceof UbuntuCiError)
    return thrown.exitCode === ExitCode.notNow;
  return thrown instanceof Error && "syscall" in thrown;
}
