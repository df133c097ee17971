import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { namesIn } from "../files/names-in.ts";
import { type AptRepository, folderOf } from "./apt-repository.ts";

/** A binary package in a repository's index; filename is relative to its root. */
export interface PublishedBinary {
  readonly package: string;
  readonly version: string;
  readonly architecture: string;
  readonly filename: string;
  /** The Provides field as it is written. */
  readonly provides: string;
  readonly essential: boolean;
}

const essential = ["Essential", "Protected", "Important"];
const wanted: ReadonlySet<string> = new Set([
  ...["Package", "Version", "Architecture", "Filename", "Provides"],
  ...essential,
]);

/** Reads a Packages index (only what we wrote ourselves: paragraphs of one-line fields matter). */
export function readPackages(text: string): readonly PublishedBinary[] {
  const found: PublishedBinary[] = [];
  let fields = new Map<string, string>();
  const flush = () => {
    const field = (name: string) => fields.get(name) ?? "";
    if (field("Package") !== "")
      found.push({
        package: field("Package"),
        version: field("Version"),
        architecture: field("Architecture"),
        filename: field("Filename"),
        provides: field("Provides"),
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
    // The first counts, but whatever makes a package essential counts more.
    const counts = essential.includes(name) ? value === "yes" : true;
    if (counts && !fields.has(name)) fields.set(name, value);
  }
  flush();
  return found;
}

/** The binary packages that a repository publishes at present, over all its architectures. */
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
  // An empty repository may have no folder of packages at all.
  for (const name of await namesIn(folder)) {
    if (!name.startsWith("binary-")) continue;
    const index = join(folder, name, "Packages");
    for (const binary of readPackages(await readFile(index, "utf8")))
      byFile.set(binary.filename, binary);
  }
  return [...byFile.values()];
}
