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
  for (const line of listing.split("\n")) {
    const [name, version, architecture, status] = line.split("\t");
    if (
      name === undefined ||
      version === undefined ||
      architecture === undefined ||
      status?.startsWith("ii") !== true
    )
      continue;
    const now = fetched.find(
      (uri) => uri.package === name && uri.version === version,
    );
    const before = repositories.find(({ binaries }) =>
      binaries.some(
        (binary) =>
          binary.package === name &&
          binary.version === version &&
          binary.architecture === architecture,
      ),
    );
    const from = now === undefined ? before?.name : now.from;
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
  for (const name of add) {
    const installed = manifest.find((entry) => entry.package === name);
    if (installed === undefined) return `${name} is not installed in the image`;
    const own = first.binaries.filter((binary) => binary.package === name);
    if (own.length === 0) continue;
    if (installed.from !== first.name)
      return `${name} ${installed.version} came from ${installed.from}, not from ${first.name}`;
    if (!own.some((binary) => binary.version === installed.version))
      return `${name} is installed in version ${installed.version}, which ${first.name} does not publish`;
  }
  return undefined;
}
