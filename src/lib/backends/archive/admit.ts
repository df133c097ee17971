import { basename } from "node:path";

import { compareVersions } from "../../debian/version.ts";
import { notNow } from "../../domain/error.ts";
import { notBuiltBy } from "../../debian/built-package.ts";
import type { PublishedSource, SourceVersion } from "./archive.ts";
import type { PublishedPackage } from "./index-files.ts";

/**
 * Why an archive cannot take these sources (it already holds the same or a higher version of one), or
 * undefined. It may have changed since the ticket was admitted.
 */
export function overtaken(
  sources: readonly SourceVersion[],
  published: readonly PublishedPackage[],
): string | undefined {
  const holds = byName(published, "source");
  for (const { name, version } of sources) {
    for (const held of holds(name)) {
      if (compareVersions(held.version, version) >= 0) {
        return held.version === version
          ? `the archive holds ${name} ${version} already`
          : `the archive holds ${name} ${held.version}, which is above ${version}`;
      }
    }
  }
  return undefined;
}

/** Why these binary packages cannot replace those of the same name, or undefined. */
export function downgraded(
  added: readonly PublishedPackage[],
  published: readonly PublishedPackage[],
): string | undefined {
  const holds = byName(published, "binary");
  for (const { name, version, source } of added) {
    for (const held of holds(name)) {
      if (compareVersions(held.version, version) >= 0)
        return `the archive holds the binary package ${name} ${held.version} of source ${held.source}, which is not below ${version} of source ${source}`;
    }
  }
  return undefined;
}

/**
 * What to copy for these source versions: their source packages, and all binaries of the PPA but those
 * of its other sources.
 *
 * @throws UbuntuCiError (75) when the PPA does not hold exactly that version of each
 */
export function selected(
  ppa: string,
  held: readonly PublishedPackage[],
  what: readonly SourceVersion[],
): PublishedPackage[] {
  const holds = byName(held, "source");
  for (const { name, version } of what) {
    const versions = holds(name).map((one) => one.version);
    if (versions.length !== 1 || versions[0] !== version)
      throw notNow(
        `${ppa} holds ${versions.join(" and ") || "nothing"} of ${name}, not ${version} alone`,
      );
  }
  const names = new Set(what.map(({ name }) => name));
  return held.filter(
    ({ source }) => names.has(source) || holds(source).length === 0,
  );
}

/**
 * Why these binary packages may not be published, or undefined: one is not what its source says that it
 * builds. The builder has looked at it, but not at what the archive's tools read in it.
 */
export function foreign(
  binaries: readonly PublishedPackage[],
  what: readonly PublishedSource[],
): string | undefined {
  for (const { name, version, architecture, source, files } of binaries) {
    const own = what.find((one) => one.name === source);
    if (own === undefined)
      return `${name} ${version} says that its source is ${source}, which is not in the ticket`;
    for (const { path } of files) {
      const why = notBuiltBy(
        { ...own, source },
        basename(path),
        // An index tells no version of the source where the package's control file has none.
        { name, version, architecture, source: `${source} (${own.version})` },
      );
      if (why !== null) return why;
    }
  }
  return undefined;
}

/** Packages grouped by name, since there may be thousands on either side. */
function byName(
  published: readonly PublishedPackage[],
  kind: PublishedPackage["kind"],
): (name: string) => readonly PublishedPackage[] {
  const found = new Map<string, PublishedPackage[]>();
  for (const held of published) {
    if (held.kind !== kind) continue;
    const alike = found.get(held.name) ?? [];
    found.set(held.name, alike);
    alike.push(held);
  }
  return (name) => found.get(name) ?? [];
}

/**
 * What stays published when these packages come in: a revision lists the newest version of each source
 * with its binaries, and one version of each binary.
 */
export function remaining(
  published: readonly PublishedPackage[],
  sources: ReadonlySet<string>,
  binaries: ReadonlySet<string>,
): PublishedPackage[] {
  return published.filter(
    ({ kind, name, source }) =>
      !sources.has(source) && !(kind === "binary" && binaries.has(name)),
  );
}

/** Folder of a source package in a pool, as aptly and Debian lay it out. */
export function poolFolder(source: string): string {
  const prefix = source.startsWith("lib")
    ? source.slice(0, 4)
    : source.slice(0, 1);
  return `pool/main/${prefix}/${source}`;
}
