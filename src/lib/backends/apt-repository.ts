import type { Bind } from "../session/session.ts";

/** A signed apt repository that a session or a client uses: a PPA, or the archive. */
export interface AptRepository {
  /** `ci_pool-001`, or `archive`. */
  readonly name: string;
  /** Base URI of dists/ and pool/, in apt's form: `file:/…` for a folder of this machine. */
  readonly uri: string;
  /** Its distribution in dists/: the series. */
  readonly suite: string;
  readonly component: "main";
  /** ASCII-armoured public key that signs it. */
  readonly signingKey: string;
}

/** A folder as a URI for apt's `file:` method; characters that separate words or escape are escaped. */
export function fileUri(folder: string): string {
  return `file:${folder.split("/").map(encodeURIComponent).join("/")}`;
}

/** Whether a repository lies in a folder of this machine. */
function isLocal({ uri }: AptRepository): boolean {
  return uri.startsWith("file:/");
}

/**
 * The folder of a repository on this machine.
 *
 * @throws RangeError for one that is elsewhere
 */
export function folderOf(repository: AptRepository): string {
  const { name, uri } = repository;
  if (!isLocal(repository))
    throw new RangeError(`${name} is not on this machine, but at ${uri}`);
  return decodeURIComponent(uri.slice("file:".length));
}

/** The repositories as a session sees them: a local folder is bound into it, below `place`. */
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
