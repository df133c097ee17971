import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { namesIn } from "../files/names-in.ts";
import { type AptRepository, folderOf } from "./apt-repository.ts";

/** A binary package in a repository's index; `filename` is relative to the repository. */
export interface PublishedBinary {
  readonly package: string;
  readonly version: string;
  readonly architecture: string;
  readonly filename: string;
  /** The unparsed Provides field. */
  readonly provides: string;
  /** The unparsed Conflicts and Breaks fields, as one. */
  readonly conflicts: string;
  /** The unparsed Pre-Depends and Depends fields, as one. */
  readonly depends: string;
  readonly essential: boolean;
}

/** Fields that make a package one that apt installs or keeps without being asked. */
const essential = ["Essential", "Protected", "Important"];
const wanted: ReadonlySet<string> = new Set([
  ...["Package", "Version", "Architecture", "Filename", "Provides"],
  ...["Conflicts", "Breaks", "Pre-Depends", "Depends"],
  ...essential,
]);

/**
 * Reads the one-line fields of a Packages index. It is of our own making, so this need not be a full
 * deb822 parser.
 */
export function readPackages(text: string): readonly PublishedBinary[] {
  const found: PublishedBinary[] = [];
  let fields = new Map<string, string>();
  const flush = () => {
    const field = (name: string) => fields.get(name) ?? "";
    const both = (...names: readonly string[]) =>
      names
        .map(field)
        .filter((value) => value !== "")
        .join(", ");
    if (field("Package") !== "")
      found.push({
        package: field("Package"),
        version: field("Version"),
        architecture: field("Architecture"),
        filename: field("Filename"),
        provides: field("Provides"),
        conflicts: both("Conflicts", "Breaks"),
        depends: both("Pre-Depends", "Depends"),
        essential: essential.some((name) => field(name) === "yes"),
      });
    fields = new Map();
  };
  for (const line of text.split("\n")) {
    if (line === "") {
      flush();
      continue;
    }
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    if (!wanted.has(name)) continue;
    const value = line.slice(colon + 1).trim();
    // The first value of a field counts, except that any "yes" makes a package essential.
    const counts = essential.includes(name) ? value === "yes" : true;
    if (counts && !fields.has(name)) fields.set(name, value);
  }
  flush();
  return found;
}

/** The binary packages that a repository publishes now, for all its architectures. */
export async function publishedIn(
  repository: AptRepository,
): Promise<readonly PublishedBinary[]> {
  const folder = join(
    folderOf(repository),
    "dists",
    repository.suite,
    repository.component,
  );
  const byFile = new Map<string, PublishedBinary>();
  // An empty repository may have no folder for packages at all.
  for (const name of await namesIn(folder)) {
    if (!name.startsWith("binary-")) continue;
    const index = join(folder, name, "Packages");
    for (const binary of readPackages(await readFile(index, "utf8")))
      byFile.set(binary.filename, binary);
  }
  return [...byFile.values()];
}
