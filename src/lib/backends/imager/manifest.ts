import { outputLines } from "../../domain/output-lines.ts";
import type { AptUri } from "../apt-verdict.ts";
import type { PublishedBinary } from "../published.ts";
import type { ManifestEntry } from "./imager.ts";

/** Of dpkg-query, for {@link readManifest}. */
export const manifestFormat =
  "${Package}\\t${Version}\\t${Architecture}\\t${db:Status-Abbrev}\\n";

/**
 * All packages that are installed in an image, each with its repository, in the order of their
 * names: for those that apt has just fetched the one it fetched from, for all others the first that
 * publishes exactly them, else the distribution.
 *
 * listing: dpkg-query's output in {@link manifestFormat}.
 */
export function readManifest(
  listing: string,
  distribution: string,
  fetched: readonly Pick<
    AptUri & { from: string | undefined },
    "package" | "version" | "from"
  >[],
  repositories: readonly {
    readonly name: string;
    readonly binaries: readonly PublishedBinary[];
  }[],
): readonly ManifestEntry[] {
  const entries: ManifestEntry[] = [];
  const fetchedFrom = new Map<string, string | undefined>();
  for (const { package: name, version, from } of fetched)
    if (!fetchedFrom.has(keyOf(name, version)))
      fetchedFrom.set(keyOf(name, version), from);
  const publishedBy = new Map<string, string>();
  for (const { name, binaries } of repositories)
    for (const binary of binaries) {
      const key = keyOf(binary.package, binary.version, binary.architecture);
      if (!publishedBy.has(key)) publishedBy.set(key, name);
    }
  for (const line of outputLines(listing)) {
    const [name, version, architecture, status] = line.split("\t");
    if (
      name === undefined ||
      version === undefined ||
      architecture === undefined ||
      status?.startsWith("ii") !== true
    )
      continue;
    const key = keyOf(name, version);
    const from = fetchedFrom.has(key)
      ? fetchedFrom.get(key)
      : publishedBy.get(keyOf(name, version, architecture));
    entries.push({
      package: name,
      version,
      architecture,
      from: from ?? distribution,
    });
  }
  return entries.sort((a, b) =>
    a.package < b.package ? -1 : a.package > b.package ? 1 : 0,
  );
}

/** Tabs separate what dpkg-query prints, so no part has one. */
function keyOf(...parts: readonly string[]): string {
  return parts.join("\t");
}

/**
 * What is wrong with where the packages to add came from, or undefined: a package that the first
 * repository (the ticket's PPA) publishes must be installed in that version, from there.
 */
export function wrongOrigin(
  manifest: readonly ManifestEntry[],
  add: readonly string[],
  first: {
    readonly name: string;
    readonly binaries: readonly PublishedBinary[];
  },
): string | undefined {
  const entries = new Map<string, ManifestEntry>();
  for (const entry of manifest)
    if (!entries.has(entry.package)) entries.set(entry.package, entry);
  const versions = new Map<string, Set<string>>();
  for (const { package: name, version } of first.binaries)
    versions.set(name, (versions.get(name) ?? new Set()).add(version));
  for (const name of add) {
    const installed = entries.get(name);
    if (installed === undefined) return `${name} is not installed in the image`;
    const own = versions.get(name);
    if (own === undefined) continue;
    if (installed.from !== first.name)
      return `${name} ${installed.version} came from ${installed.from}, not from ${first.name}`;
    if (!own.has(installed.version))
      return `${name} is installed in version ${installed.version}, which ${first.name} does not publish`;
  }
  return undefined;
}

/**
 * The listing that {@link manifestFormat} will give after what apt planned is done.
 *
 * @param before the listing of before
 * @param removed names, behind each perhaps its architecture (`NAME:ARCH`)
 */
export function plannedListing(
  before: string,
  wanted: readonly Pick<AptUri, "package" | "version" | "architecture">[],
  removed: readonly string[],
): string {
  const gone = new Set(removed);
  const entries = new Map<string, string>();
  const architectures = new Map<string, Set<string>>();
  const install = (name: string, architecture: string, line: string) => {
    entries.set(`${name}:${architecture}`, line);
    const known = architectures.get(name) ?? new Set();
    architectures.set(name, known.add(architecture));
  };
  for (const line of installedLines(before)) {
    const [name = "", , architecture = ""] = line.split("\t");
    if (!gone.has(name) && !gone.has(`${name}:${architecture}`))
      install(name, architecture, line);
  }
  for (const { package: name, version, architecture } of wanted) {
    // Of a package whose architecture changes (any to all) there is one all the same.
    for (const other of architectures.get(name) ?? [])
      if (other === "all" || architecture === "all")
        entries.delete(`${name}:${other}`);
    install(name, architecture, `${name}\t${version}\t${architecture}\tii `);
  }
  return [...entries.values()].map((line) => `${line}\n`).join("");
}

/** The first package in which two listings differ, in words; undefined when they have the same. */
export function sameListing(
  planned: string,
  found: string,
): string | undefined {
  const [one, other] = [planned, found].map(
    (listing) => new Set(installedLines(listing).map(withoutStatus)),
  );
  if (one === undefined || other === undefined) return undefined;
  const missing = [...one].find((line) => !other.has(line));
  if (missing !== undefined) return `${missing} is not there`;
  const extra = [...other].find((line) => !one.has(line));
  return extra === undefined ? undefined : `${extra} is there`;
}

function installedLines(listing: string): string[] {
  return listing
    .split("\n")
    .filter((line) => line.split("\t")[3]?.startsWith("ii") === true);
}

function withoutStatus(line: string): string {
  return line.split("\t").slice(0, 3).join(" ");
}
