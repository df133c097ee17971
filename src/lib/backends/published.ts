import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { ifThere } from "../host/if-there.ts";
import type { AptRepository } from "./apt-repository.ts";

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

/** Reads a Packages index (only what we wrote ourselves: paragraphs of one-line fields matter). */
export function readPackages(text: string): readonly PublishedBinary[] {
  const found: PublishedBinary[] = [];
  for (const paragraph of text.split(/\n\n+/)) {
    const field = (name: string): string =>
      new RegExp(`^${name}: *(.*)$`, "m").exec(paragraph)?.[1]?.trim() ?? "";
    const name = field("Package");
    if (name === "") continue;
    found.push({
      package: name,
      version: field("Version"),
      architecture: field("Architecture"),
      filename: field("Filename"),
      provides: field("Provides"),
      essential: /^(?:Essential|Protected|Important): *yes$/m.test(paragraph),
    });
  }
  return found;
}

/** The binary packages that a repository publishes at present, over all its architectures. */
export async function publishedIn(
  repository: AptRepository,
): Promise<readonly PublishedBinary[]> {
  const folder = join(
    repository.root,
    "dists",
    repository.suite,
    repository.component,
  );
  const byFile = new Map<string, PublishedBinary>();
  // An empty repository may have no folder of packages at all.
  for (const name of (await ifThere(readdir(folder))) ?? []) {
    if (!name.startsWith("binary-")) continue;
    const index = join(folder, name, "Packages");
    for (const binary of readPackages(await readFile(index, "utf8")))
      byFile.set(binary.filename, binary);
  }
  return [...byFile.values()];
}
