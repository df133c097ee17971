import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { notNow } from "../domain/error.ts";
import { type AptRepository, folderOf } from "./apt-repository.ts";
import { aptSource } from "./archive/apt-source.ts";

/** What of apt's configuration makes repositories known, the first of them winning over all else. */
export interface RepositoryFiles {
  /** deb822 sources, each with its key in it. */
  readonly sources: string;
  /** apt_preferences(5). */
  readonly preferences: string;
}

/** Writes apt's files for repositories; `uriOf` is where apt finds one. */
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

/** `file:` sources have no host to pin by (apt_preferences(5)): the label of the Release file does. */
async function labelOf(repository: AptRepository): Promise<string> {
  const { suite } = repository;
  const file = join(folderOf(repository), "dists", suite, "Release");
  const label = /^Label:(.*)$/m.exec(await readFile(file, "utf8"))?.[1]?.trim();
  // Without a pin the distribution's package could win without a word.
  if (label === undefined || label === "")
    throw notNow(`${file} has no Label to pin by`);
  return label;
}
