import { outputLines } from "../../domain/output-lines.ts";
import type { AptUri } from "../apt-verdict.ts";
import type { PublishedBinary } from "../published.ts";
import type { ManifestEntry } from "./imager.ts";

/** The format of dpkg-query for a listing, which the functions here read. */
export const manifestFormat =
  "${Package}\\t${Version}\\t${Architecture}\\t${db:Status-Abbrev}\\n";

/**
 * The installed packages of an image, sorted by name, each with its origin: for a package that apt has
 * just fetched, where it fetched it from; for all others, the first repository that publishes this
 * version and architecture, else the distribution.
 *
 * @param listing dpkg-query's output in {@link manifestFormat}
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
  const fetchedFrom = firstOfEach(
    fetched.map((uri) => [keyOf(uri.package, uri.version), uri.from]),
  );
  const publishedBy = firstOfEach(
    repositories.flatMap(({ name, binaries }) =>
      binaries.map((one): [string, string] => [
        keyOf(one.package, one.version, one.architecture),
        name,
      ]),
    ),
  );
  for (const line of outputLines(listing)) {
    const [name = "", version = "", architecture = "", status] =
      line.split("\t");
    if (status?.startsWith("ii") !== true) continue;
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

/** A key of several parts. None contains a tab, which separates them in a listing. */
function keyOf(...parts: readonly string[]): string {
  return parts.join("\t");
}

/** A map in which the first value of a key counts. */
function firstOfEach<V>(
  entries: readonly (readonly [string, V])[],
): ReadonlyMap<string, V> {
  return new Map(entries.toReversed());
}

/**
 * Why the added packages are not those of the first repository (the ticket's PPA), or undefined. What
 * it publishes must be installed from there, in a version that it publishes.
 */
export function wrongOrigin(
  manifest: readonly ManifestEntry[],
  add: readonly string[],
  first: {
    readonly name: string;
    readonly binaries: readonly PublishedBinary[];
  },
): string | undefined {
  const entries = firstOfEach(
    manifest.map((entry): [string, ManifestEntry] => [entry.package, entry]),
  );
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
 * Predicts the listing after apt has carried out a plan.
 *
 * @param before the listing before that
 * @param removed package names, some with an architecture (`NAME:ARCH`)
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
    // A package that becomes Architecture: all, or ceases to be, replaces the installed one.
    for (const other of architectures.get(name) ?? [])
      if (other === "all" || architecture === "all")
        entries.delete(`${name}:${other}`);
    install(name, architecture, `${name}\t${version}\t${architecture}\tii `);
  }
  return [...entries.values()].map((line) => `${line}\n`).join("");
}

/** The first package in which a listing differs from the planned one, in words; undefined if none does. */
export function listingDifference(
  planned: string,
  found: string,
): string | undefined {
  const packagesOf = (listing: string) =>
    new Set(installedLines(listing).map(withoutStatus));
  const [wanted, installed] = [packagesOf(planned), packagesOf(found)];
  const missing = [...wanted].find((line) => !installed.has(line));
  if (missing !== undefined) return `${missing} is not there`;
  const extra = [...installed].find((line) => !wanted.has(line));
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
