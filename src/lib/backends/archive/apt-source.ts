import type { AptRepository } from "../apt-repository.ts";

/**
 * A deb822 `.sources` stanza for a repository, with its signing key in it, that apt (2.3.10 and
 * later) accepts as it is (sources.list(5), Signed-By).
 *
 * @param uri where the client finds the repository; default: its own address
 * @param types kinds of packages that the client wants from it
 */
export function aptSource(
  repository: AptRepository,
  uri = repository.uri,
  types: "deb" | "deb deb-src" = "deb deb-src",
): string {
  const key = repository.signingKey
    .trimEnd()
    .split("\n")
    .map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`));
  return [
    `Types: ${types}`,
    `URIs: ${uri}`,
    `Suites: ${repository.suite}`,
    `Components: ${repository.component}`,
    "Signed-By:",
    ...key,
    "",
  ].join("\n");
}
