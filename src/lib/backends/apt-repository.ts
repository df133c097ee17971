import type { Bind } from "../session/session.ts";

/** A signed apt repository: a PPA, or the archive. */
export interface AptRepository {
  /** `ci_pool-001`, or `archive`. */
  readonly name: string;
  /** Base URI of dists/ and pool/, in apt's form: `file:/…` for a folder of this machine. */
  readonly uri: string;
  /** Its only distribution, which is named after the series. */
  readonly suite: string;
  readonly component: "main";
  /** ASCII-armoured public key that verifies it. */
  readonly signingKey: string;
}

/** The URI of a folder for apt's `file:` method, percent-encoded. */
export function fileUri(folder: string): string {
  return `file:${folder.split("/").map(encodeURIComponent).join("/")}`;
}

function isLocal({ uri }: AptRepository): boolean {
  return uri.startsWith("file:/");
}

/**
 * The folder of a repository on this machine.
 *
 * @throws RangeError when it is on another machine
 */
export function folderOf(repository: AptRepository): string {
  const { name, uri } = repository;
  if (!isLocal(repository))
    throw new RangeError(`${name} is not on this machine, but at ${uri}`);
  return decodeURIComponent(uri.slice("file:".length));
}

/** The repositories as a session sees them: those on this machine are bound into it below `place`. */
export function repositoriesInside(
  repositories: readonly AptRepository[],
  place: string,
): {
  readonly binds: readonly Bind[];
  readonly uriOf: (repository: AptRepository) => string;
} {
  return {
    binds: repositories.filter(isLocal).map((repository) => ({
      from: folderOf(repository),
      to: `${place}/${repository.name}`,
    })),
    uriOf: (repository) =>
      isLocal(repository) ? `file:${place}/${repository.name}` : repository.uri,
  };
}
