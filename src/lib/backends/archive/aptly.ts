import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { packageFile } from "../../debian/package-file.ts";
import {
  Damage,
  ExitCode,
  misconfigured,
  notNow,
  UbuntuCiError,
} from "../../domain/error.ts";
import { digestFile, syncPath } from "../../files/atomic-file.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { ifExists } from "../../files/optional-file.ts";
import { openToEverybody } from "../../files/public-files.ts";
import type { StatePaths } from "../../host/paths.ts";
import { contentsOfPpa } from "../pool/aptly.ts";
import {
  downgraded,
  foreign,
  overtaken,
  remaining,
  selected,
} from "./admit.ts";
import type { AptlyRootOptions } from "./aptly-root.ts";
import { cleanAptly, publishWithAptly } from "./aptly-root.ts";
import type {
  Archive,
  Outlook,
  PpaRef,
  PublishResult,
  PublishedSource,
  Signing,
} from "./archive.ts";
import { checkAsClient } from "./client-check.ts";
import type { KnownStanzas, PublishedPackage } from "./index-files.ts";
import {
  among,
  digestsIn,
  holds,
  pathsOf,
  readNeeds,
  readPublished,
  sameFiles,
} from "./index-files.ts";
import { momentIn } from "./release.ts";
import { readRelease, releaseFault } from "./release-fault.ts";
import { revisionArchive } from "./revision-archive.ts";
import type { RevisionTree } from "./revisions.ts";
import { newRevision, recordOf } from "./revision-record.ts";
import { filesIn, revisionOfTicket } from "./revisions.ts";
import { checkedSeries, signedRepository } from "./signed-repository.ts";
import {
  addSigningKey,
  removeRetiredKeys,
  isRotationUnfinished,
  retireSigningKey,
  rotationDone,
} from "./rotate-key.ts";
import { renewRelease, signText } from "./sign-release.ts";
import { ensureSigningKey, readSigningKey, signers } from "./signing-key.ts";
import { remedy } from "../../domain/remedy.ts";

/**
 * An archive kept with aptly; it copies packages from PPAs that aptly keeps.
 *
 * @param origin Origin and Label of the Release files
 * @param validDays days that a Release file is valid for
 */
export function aptlyArchive(
  paths: StatePaths,
  origin: string,
  validDays = 10,
): Archive {
  const validMs = validDays * 24 * 3_600_000;
  const aptly = (signal?: AbortSignal): AptlyRootOptions => ({
    root: join(paths.aptly, "archive"),
    pool: join(paths.archive, "pool"),
    keys: paths,
    origin,
    validMs,
    contents: true,
    replaceFiles: false,
    signal,
  });
  const repository = (series: string, root = paths.archive) =>
    signedRepository(paths, "archive", root, series);
  // One folder is enough, since only the holder of the archive's lock checks. No PPA can have this name.
  const clientFolder = join(paths.aptly, ".client");
  const make = async (
    series: string,
    kept: readonly PublishedPackage[],
  ): Promise<string> => {
    const name = checkedSeries(series);
    const made = await publishWithAptly(aptly(), name, { kept, added: [] });
    if (!sameFiles(await readPublished(made), kept))
      throw notNow(`aptly did not publish ${series} as it was told`);
    return made;
  };
  const check = async (
    root: string,
    series: string,
    packages: readonly PublishedPackage[],
    signal?: AbortSignal,
  ): Promise<void> =>
    checkAsClient(
      await repository(series, root),
      packages,
      clientFolder,
      signal,
    );
  const { tree, inTurn, ...common } = revisionArchive(paths, {
    make,
    check,
    fault: (series) => releaseFault(paths.archive, series, paths),
    renew: (distribution, suite) =>
      renewRelease(distribution, {
        keys: paths,
        validMs,
        signal: undefined,
        ...(suite !== undefined && { suite }),
      }),
    needs: readNeeds,
  });
  const keyName = `${origin} archive signing key`;

  return {
    ...common,
    async init(series) {
      // A new key would be one that no client knows.
      if ((await tree.currentNumber()) !== null)
        await readSigningKey(paths.gnupg);
      await ensureSigningKey(paths, keyName);
      await common.init(series);
    },
    repository: (series) => repository(series),
    async publish(from, what, ticket, signal, agree) {
      try {
        const publish = () => publishInTurn(from, what, ticket, signal, agree);
        return await inTurn(publish, signal);
      } catch (thrown) {
        if (isOurs(thrown))
          return { outcome: "tmpfail", reason: thrown.message };
        throw thrown;
      }
    },
    sign: (text) => signText(paths, text, ["--armor", "--detach-sign"]),
    async rotateKey() {
      await addSigningKey(paths, keyName);
      await common.resign();
      await rotationDone(paths);
    },
    async retireKey() {
      await retireSigningKey(paths);
      await common.resign();
      crashPoint("key.resigned");
      await removeRetiredKeys(paths);
    },
    async signing() {
      const key = await readSigningKey(paths.gnupg);
      const ends: NonNullable<Signing["endsFirst"]>[] = [];
      if (await common.exists())
        for (const series of [
          ...(await common.series()),
          ...(await tree.stableSuites()),
        ]) {
          const { stanza } = await readRelease(paths.archive, series);
          const end = momentIn(stanza, "Valid-Until");
          const validUntil = end === null ? null : new Date(end).toISOString();
          ends.push({ series, validUntil });
        }
      ends.sort((a, b) => endOf(a) - endOf(b));
      return {
        signedBy: signers(key).map(({ fingerprint }) => fingerprint),
        rotatedAt: key.rotated_at ?? null,
        unfinished: await isRotationUnfinished(paths.gnupg),
        endsFirst: ends[0] ?? null,
      };
    },
    async faultsForClients() {
      const faults = await common.faultsForClients();
      const key = await readSigningKey(paths.gnupg).catch((thrown: unknown) => {
        if (thrown instanceof Damage) return thrown;
        throw thrown;
      });
      return key instanceof Damage ? [...faults, key.message] : faults;
    },
    async removeRevisions(revisions) {
      await common.removeRevisions(revisions);
      await inTurn(() => cleanAptly(aptly()));
    },
  };

  async function publishInTurn(
    from: PpaRef,
    what: readonly PublishedSource[],
    ticket: number,
    signal: AbortSignal | undefined,
    agree: ((outlook: Outlook) => Promise<void>) | undefined,
  ): Promise<PublishResult> {
    const { ppa, series } = from;
    const current = await tree.current();
    const published = current.publications[series];
    if (published === undefined)
      throw misconfigured(
        `the archive has no series ${series}`,
        remedy("init", [], { series }),
      );
    crashPoint("publish.begun");
    const { root, packages } = await contentsOfPpa(paths, from);
    const wanted = selected(ppa, packages, what);
    const digests = digestsIn(wanted);
    if (holds(published, digests)) {
      const mine = await revisionOfTicket(tree, ticket);
      if (mine !== undefined) {
        const held = published.filter(({ files }) =>
          files.some(({ sha256 }) => digests.has(sha256)),
        );
        await check(paths.archive, series, held, signal);
        return { outcome: "passed", revision: mine };
      }
    }
    const binaries = wanted.filter(({ kind }) => kind === "binary");
    const reason =
      foreign(binaries, what) ??
      overtaken(what, published) ??
      downgraded(binaries, published) ??
      (await otherFileOfThatName(tree, wanted));
    if (reason !== undefined) return { outcome: "failed", reason };

    const kept = remaining(
      published,
      new Set(what.map(({ name }) => name)),
      new Set(binaries.map(({ name }) => name)),
    );
    const dists = (of: string) => join(of, "dists", series);
    const stanzas: KnownStanzas = new Map();
    const before = await readNeeds(dists(paths.archive), stanzas);
    const coming = await readNeeds(dists(root), stanzas);
    await agree?.({
      before,
      after: [...among(before, kept), ...among(coming, wanted)],
    });
    const made = await publishWithAptly(aptly(signal), series, {
      kept,
      added: pathsOf(wanted)
        .filter((path) => packageFile.test(path))
        .map((path) => join(root, path)),
    });
    crashPoint("publish.copied");
    const all = await readPublished(made, stanzas);
    if (!sameFiles(all, [...kept, ...wanted]))
      throw notNow(
        `aptly did not publish for ${series} what ${ppa} and the archive hold`,
      );
    // aptly creates its files private.
    await openToEverybody(paths.archive, pathsOf(wanted));
    await flushPool(paths.archive, wanted);
    const revision = newRevision(
      current.revision + 1,
      { ...current.publications, [series]: all },
      { ticket },
      current.publications,
    );
    const prepared = await tree.prepare(revision, new Map([[series, made]]));
    crashPoint("publish.prepared");
    await check(prepared, series, wanted, signal);
    // The revision is published from here on: cancelling would only skip the final check.
    signal?.throwIfAborted();
    await tree.show(revision, prepared);
    crashPoint("publish.shown");
    // A client has read all of it; what is new is where it is seen.
    const [unseen] = await common.faultsForClients();
    if (unseen !== undefined) throw notNow(unseen);
    return { outcome: "passed", revision: recordOf(revision) };
  }
}

/** When a Release file ends, for sorting: one without an end first, since it wants to be signed anew. */
function endOf({ validUntil }: { readonly validUntil: string | null }): number {
  return validUntil === null ? 0 : Date.parse(validUntil);
}

/**
 * Why packages cannot go into the pool, or undefined: some revision, current or not, refers to other
 * files of the same name, which must not change. Files that no revision refers to are left over from a
 * killed run and are removed.
 */
async function otherFileOfThatName(
  tree: RevisionTree,
  wanted: readonly PublishedPackage[],
): Promise<string | undefined> {
  const others: string[] = [];
  for (const { path, sha256 } of wanted.flatMap(({ files }) => files)) {
    const there = await ifExists(digestFile(join(tree.root, path)));
    if (there !== undefined && there.sha256 !== sha256) others.push(path);
  }
  if (others.length === 0) return undefined;
  const known = new Set<string>();
  for (const number of await tree.numbers()) {
    const revision = await tree.read(number, { known });
    const paths = new Set(filesIn(revision).map(({ path }) => path));
    const used = others.find((path) => paths.has(path));
    if (used !== undefined)
      return `revision ${number} of the archive has another ${basename(used)}; a file that was published keeps its contents, so the version must be raised`;
  }
  for (const path of others) await rm(join(tree.root, path), { force: true });
  return undefined;
}

async function flushPool(
  root: string,
  packages: readonly PublishedPackage[],
): Promise<void> {
  const files = pathsOf(packages).map((path) => join(root, path));
  const folders = new Set(files.map((file) => dirname(file)));
  await Promise.all([...files, ...folders].map((path) => syncPath(path)));
}

/** Whether a tool or the disk failed: neither the package's fault nor a bug in this program. */
function isOurs(thrown: unknown): thrown is Error {
  if (thrown instanceof UbuntuCiError)
    return thrown.exitCode === ExitCode.notNow;
  return thrown instanceof Error && "syscall" in thrown;
}
