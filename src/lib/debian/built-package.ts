import { wordsOf } from "./blanks.ts";
import { withoutEpoch } from "./version.ts";

/** A source package, and what its .dsc says that it builds. */
export interface BuildingSource {
  readonly source: string;
  readonly version: string;
  /** The names in the .dsc's Binary field. */
  readonly builds: readonly string[];
}

/** What the control file of a binary package says of it (deb-control(5)). */
export interface BuiltPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** The Source field; null when there is none, which means a source of the same name and version. */
  readonly source: string | null;
}

/**
 * Why a file is no binary package of that source, or null. A package is named three times: in its file's
 * name, in its control file, and in the .dsc. Archives go by one of these, reviewers by another.
 *
 * @param file its name, without a folder
 */
export function notBuiltBy(
  { source, version, builds }: BuildingSource,
  file: string,
  built: BuiltPackage,
): string | null {
  const { name, architecture } = built;
  const named = `${name}_${withoutEpoch(built.version)}_${architecture}`;
  if (file.replace(/\.[ud]?deb$/, "") !== named)
    return `${file} holds ${name} ${built.version} of ${architecture}`;
  const symbolsOf = name.endsWith("-dbgsym")
    ? name.slice(0, -"-dbgsym".length)
    : name;
  if (!builds.includes(name) && !builds.includes(symbolsOf))
    return `${file} is of ${name}, which the Binary field of ${source} does not name`;
  const own = sourceOf(built);
  if (own.name !== source)
    return `${file} says that its source is ${own.name}, not ${source}`;
  if (own.version !== version)
    return `${file} says that it was built from ${source} ${own.version}, not ${version}`;
  return null;
}

/** The source package that a binary package names: `NAME` or `NAME (VERSION)`. */
export function sourceOf({
  name,
  version,
  source,
}: Pick<BuiltPackage, "name" | "version" | "source">): {
  readonly name: string;
  readonly version: string;
} {
  const [of = name, inBrackets] = wordsOf(source ?? name);
  return {
    name: of,
    version: /^\(([^()]+)\)$/.exec(inBrackets ?? "")?.[1] ?? version,
  };
}
