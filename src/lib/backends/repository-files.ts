import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { notNow } from "../domain/error.ts";
import { type AptRepository, folderOf } from "./apt-repository.ts";
import { aptSource } from "./archive/apt-source.ts";

/** The parts of apt's configuration that add repositories and prefer the first one to all others. */
export interface RepositoryFiles {
  /** deb822 sources with inline keys. */
  readonly sources: string;
  /** apt_preferences(5). */
  readonly preferences: string;
}

/** The texts of apt's files for repositories; apt finds each one at `uriOf`. */
export async function repositoryFiles(
  repositories: readonly AptRepository[],
  uriOf: (repository: AptRepository) => string,
): Promise<RepositoryFiles> {
  const [first] = repositories;
  return {
    sources: repositories
      .map((repository) => aptSource(repository, uriOf(repository), "deb"))
      .join("\n"),
    preferences:
      first === undefined
        ? ""
        : `Package: *\nPin: release l=${await labelOf(first)}\nPin-Priority: 1001\n`,
  };
}

/** The label in the Release file, to pin by: `file:` sources have no host for that (apt_preferences(5)). */
async function labelOf(repository: AptRepository): Promise<string> {
  const { suite } = repository;
  const file = join(folderOf(repository), "dists", suite, "Release");
  const label = /^Label:(.*)$/m.exec(await readFile(file, "utf8"))?.[1]?.trim();
  // Without a pin, apt could silently prefer the distribution's package.
  if (label === undefined || label === "")
    throw notNow(`${file} has no Label to pin by`);
  return label;
}
